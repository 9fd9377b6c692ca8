-- The radio pipeline: states of segments, audio stored once, mastered (by calls, as the worker makes them), played.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
CREATE SERVER radio_local FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root '/nonexistent/radio', delete_grace '1 day');
CREATE SERVER radio_web FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 'local', root '/nonexistent/radio', prefix 'web/', public_url 'http://127.0.0.1:8000/audio', delete_grace '1 day');
CREATE SERVER radio_cloud FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 's3', bucket 'none', region 'eu-west-1', endpoint 'http://127.0.0.1:9', delete_grace '1 day');
CREATE USER MAPPING FOR PUBLIC SERVER radio_cloud OPTIONS (access_key_id 'k', secret_access_key 's');
CREATE SCHEMA radio_test;
SET search_path = radio_test;
SET audiostore.default_store = 'radio_web';
RESET client_min_messages;
CREATE FUNCTION error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'none';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN regexp_replace(regexp_replace(concat_ws(E'\n', sqlstate || ': ' || message, nullif(detail, ''), nullif(hint, '')),
        '(since|by) [^.;]*[.0-9]+[^.;]*([.;])', '\1 TIME\2', 'g'), 'raw/[-0-9a-f]{36}', 'raw/UUID', 'g');
END
$$;
CREATE FUNCTION s(n int) RETURNS uuid IMMUTABLE LANGUAGE sql RETURN ('00000000-0000-0000-0000-0000000000' || lpad(n::text, 2, '0'))::uuid;
CREATE FUNCTION add(first int, last int DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    INSERT INTO audiostore.segments (id, title, scheduled_at)
    SELECT s(n), 'segment ' || n, '2026-01-01'::timestamptz + n * interval '1 minute' FROM generate_series(first, coalesce(last, first)) n
$$;
CREATE FUNCTION content(n int) RETURNS bytea IMMUTABLE LANGUAGE sql RETURN convert_to('audio ' || n, 'UTF8');
CREATE FUNCTION hash(n int) RETURNS text IMMUTABLE LANGUAGE sql RETURN encode(sha256(convert_to('audio ' || n, 'UTF8')), 'hex');
CREATE VIEW on_the_way AS SELECT title, state, asset_id IS NOT NULL AS audio, duration_seconds, retry_count, error FROM audiostore.segments ORDER BY scheduled_at;
CREATE VIEW stored AS
    SELECT regexp_replace(storage_path, '[-0-9a-f]{36}', 'UUID') AS key, store, storage_provider AS provider, kind, state, size, lufs, peak_db, lufs_before, gain_db,
           validation_passed AS valid, error FROM audiostore.assets ORDER BY created_at, content_hash;
CREATE VIEW queue AS
    SELECT kind, store, regexp_replace(key, '[-0-9a-f]{36}', 'UUID') AS key, reason, not_before > now() + interval '23 hours' AS later
    FROM audiostore.operations WHERE store LIKE 'radio\_%' ORDER BY id;
CREATE FUNCTION figures(lufs float8 DEFAULT -16, silence float8 DEFAULT 0) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('duration_seconds', 10, 'frames', 441000, 'channels', 1, 'sample_rate', 44100, 'silence_seconds', silence,
        'longest_silence_seconds', 0, 'clipped_samples', 0, 'dc_offset', 0, 'integrated_lufs', lufs, 'target_lufs', -16,
        'true_peak_dbtp', -2, 'gain_db', 4, 'before', '{"integrated_lufs": -20, "true_peak_dbtp": -6}'::jsonb)
$$;
-- What the worker does with the oldest job
CREATE FUNCTION master(n int, figures jsonb DEFAULT figures(), actual_hash text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    job audiostore.jobs;
BEGIN
    SELECT * INTO job FROM audiostore.claim_jobs('{audio_finalize}', 'master');
    PERFORM audiostore.begin_audio_finalize(job.id, 'master', job.claim);
    RETURN audiostore.finish_audio_finalize(job.id, 'master', figures, 1000, coalesce(actual_hash, hash(n)), job.claim);
END
$$;

-- States
SELECT add(1);
SELECT state, queued_at = state_changed_at AS stamped, retrieving_at FROM audiostore.segments;
SELECT error_of($$UPDATE audiostore.segments SET state = 'generating'$$);
SELECT error_of($$UPDATE audiostore.segments SET state = 'lost'$$) LIKE '23514%' AS checked;
UPDATE audiostore.segments SET state = 'retrieving';
SELECT state, retrieving_at = state_changed_at AND retrieving_at > queued_at AS stamped FROM audiostore.segments;
-- Every move there is: legal as documented, refused otherwise
CREATE TABLE moves AS
    SELECT a AS from_state, b AS to_state, false AS moved
    FROM unnest(ARRAY['queued', 'retrieving', 'generating', 'rendering', 'normalizing', 'ready', 'airing', 'aired', 'archived', 'failed']) a,
         unnest(ARRAY['queued', 'retrieving', 'generating', 'rendering', 'normalizing', 'ready', 'airing', 'aired', 'archived', 'failed']) b
    WHERE a <> b;
DO $$
DECLARE
    move moves;
BEGIN
    FOR move IN SELECT * FROM moves LOOP
        DELETE FROM audiostore.segments;
        INSERT INTO audiostore.segments (state) VALUES (move.from_state);
        BEGIN
            UPDATE audiostore.segments SET state = move.to_state;
            UPDATE moves SET moved = true WHERE from_state = move.from_state AND to_state = move.to_state;
            ASSERT (SELECT (to_jsonb(s) ->> (move.to_state || '_at'))::timestamptz = state_changed_at FROM audiostore.segments s),
                'not stamped: ' || move.to_state;
        EXCEPTION WHEN object_not_in_prerequisite_state THEN
            NULL;
        END;
    END LOOP;
    DELETE FROM audiostore.segments;
END
$$;
SELECT from_state, string_agg(to_state, ', ' ORDER BY to_state) AS may_move_to FROM moves WHERE moved GROUP BY 1 ORDER BY 1;
SELECT add(1);
SELECT audiostore.move_segment(s(1), 'rendering'), audiostore.move_segment(s(1), 'rendering');
SELECT retrieving_at < generating_at AND generating_at < rendering_at AND rendering_at = state_changed_at AS in_order FROM audiostore.segments;
SELECT error_of($$SELECT audiostore.move_segment(s(1), 'queued')$$);
SELECT audiostore.fail_segment(s(1), 'no voice'), audiostore.fail_segment(s(1), 'again');
TABLE on_the_way;
SELECT audiostore.requeue_segment(s(1)), audiostore.requeue_segment(s(1));
SELECT state, retry_count, error, failed_at IS NOT NULL AS failed_at, rendering_at, queued_at = state_changed_at AS stamped FROM audiostore.segments;
UPDATE audiostore.segments SET retry_count = 3;
SELECT audiostore.fail_segment(s(1), 'no voice');
SELECT error_of($$SELECT audiostore.requeue_segment(s(1))$$);
SELECT error_of($$SELECT audiostore.fail_segment(s(99), 'x')$$), error_of($$SELECT audiostore.requeue_segment(s(99))$$),
       error_of($$SELECT audiostore.move_segment(s(99), 'ready')$$);
DELETE FROM audiostore.segments;

-- Audio is stored once; segment, asset, object and job come together
SELECT add(1, 9);
SELECT audiostore.store_segment_audio(s(1), content(1)) = audiostore.store_segment_audio(s(2), content(1)) AS one_asset,
       audiostore.store_segment_audio(s(1), content(1)) = audiostore.store_segment_audio(s(1), content(1)) AS again;
TABLE stored;
SELECT size = octet_length(content(1)) AND content_hash = hash(1) AND raw_path = storage_path AS consistent FROM audiostore.assets;
TABLE queue;
TABLE on_the_way;
SELECT j.job_type, j.state, j.payload ->> 'asset_id' = a.id::text AS of_it FROM audiostore.jobs j, audiostore.assets a;
BEGIN;
SELECT audiostore.store_segment_audio(s(3), content(3)) IS NOT NULL AS stored;
ROLLBACK;
SELECT count(*) FROM audiostore.assets;
SELECT error_of($$SELECT audiostore.store_segment_audio(s(99), 'x')$$), error_of($$SELECT audiostore.store_segment_audio(s(3), '')$$),
       error_of($$SELECT audiostore.store_segment_audio(s(3), NULL)$$);

-- Mastered: the row moves to final/, the raw object goes, both segments are ready
SELECT id AS job, claim FROM audiostore.claim_jobs('{audio_finalize}', 'master') \gset
SELECT b.kind, b.store, b.raw_key = a.storage_path AS raw, b.final_key = 'final/' || a.id || '.wav' AS final, b.content_hash = hash(1) AS hash, a.state
FROM audiostore.begin_audio_finalize(:job, 'master', :claim) b JOIN audiostore.assets a ON a.id = b.asset_id;
SELECT state FROM audiostore.assets;
TABLE queue;
SELECT audiostore.finish_audio_finalize(:job, 'master', figures(), 1000, hash(1), :claim);
SELECT audiostore.finish_audio_finalize(:job, 'master', figures(0), 2000, hash(1), :claim);
TABLE stored;
TABLE queue;
TABLE on_the_way;
SELECT state, result ->> 'outcome' AS outcome FROM audiostore.jobs;
SELECT error_of(format('SELECT audiostore.finish_audio_finalize(%s, %L, figures(), 1, hash(1))', :job, 'other')) LIKE '55000%' AS lost;
-- The same audio for another segment is ready at once
SELECT audiostore.store_segment_audio(s(3), content(1)) IS NOT NULL AS stored;
SELECT * FROM on_the_way WHERE title = 'segment 3';
SELECT error_of($$SELECT audiostore.store_segment_audio(s(3), content(4))$$);

-- Broken rules
SELECT audiostore.store_segment_audio(s(4), content(4)) IS NOT NULL AS stored;
SELECT master(4, figures(silence => 9));
SELECT title, state, error FROM on_the_way WHERE title = 'segment 4';
SELECT c ->> 'rule' AS rule, c -> 'value' AS value, c -> 'minimum' AS minimum, c -> 'maximum' AS maximum, c ->> 'severity' AS severity, c -> 'passed' AS passed
FROM audiostore.assets, jsonb_array_elements(validation -> 'checks') c WHERE content_hash = hash(4) ORDER BY 1;
SELECT audiostore.store_segment_audio(s(5), content(4)) IS NOT NULL AS stored;
SELECT title, state FROM on_the_way WHERE title = 'segment 5';
SELECT audiostore.validate_audio_figures('{}') -> 'passed' AS nothing_known,
       audiostore.validate_audio_figures(figures(-16.6)) -> 'passed' AS warned, audiostore.validate_audio_figures(figures(-13)) -> 'passed' AS too_loud,
       audiostore.validate_audio_figures(figures() || '{"dc_offset": "NaN"}') -> 'passed' AS not_a_number,
       audiostore.validate_audio_figures(figures() || '{"true_peak_dbtp": "-Infinity"}') -> 'passed' AS no_peak,
       audiostore.validate_audio_figures(figures() || '{"longest_silence_seconds": 6}', 'sound') -> 'passed' AS sound,
       audiostore.validate_audio_figures(figures() || '{"longest_silence_seconds": 6}', 'speech') -> 'passed' AS speech;
BEGIN;
INSERT INTO audiostore.validation_rules (name, metric, maximum) VALUES ('silence', 'silence_fraction', 0.95);
SELECT audiostore.validate_audio_figures(figures(silence => 9)) -> 'passed' AS replaced;
ROLLBACK;

-- Mastering that fails takes asset and segments with it; retry_job() brings them back
SELECT audiostore.store_segment_audio(s(6), content(6)) IS NOT NULL AS stored;
SELECT id AS job, claim FROM audiostore.claim_jobs('{audio_finalize}', 'master') \gset
SELECT count(*) FROM audiostore.begin_audio_finalize(:job, 'master', :claim);
SELECT audiostore.fail_audio_finalize(:job, 'master', 'store is down', claim => :claim);
SELECT state, error FROM audiostore.assets WHERE content_hash = hash(6);
UPDATE audiostore.jobs SET not_before = now(), max_attempts = 2 WHERE id = :job;
SELECT claim FROM audiostore.claim_jobs('{audio_finalize}', 'master') \gset
SELECT count(*) FROM audiostore.begin_audio_finalize(:job, 'master', :claim);
-- here the worker dies
UPDATE audiostore.jobs SET leased_until = clock_timestamp() WHERE id = :job;
SELECT count(*) FROM audiostore.claim_jobs('{audio_finalize}', 'master');
SELECT state, error LIKE 'the lease of worker "master" ended at %' AS told FROM audiostore.assets WHERE content_hash = hash(6);
SELECT title, state, error LIKE 'the lease%' AS told FROM on_the_way WHERE title = 'segment 6';
SELECT error_of(format('SELECT audiostore.finish_audio_finalize(%s, %L, figures(), 1, hash(6))', :job, 'master')) LIKE '55000%' AS lost;
SELECT audiostore.retry_job(:job);
SELECT title, state, retry_count, error FROM on_the_way WHERE title = 'segment 6';
SELECT master(6);
SELECT title, state FROM on_the_way WHERE title = 'segment 6';
-- The same bytes give an asset that failed, or is missing, another chance
UPDATE audiostore.assets SET missing_since = now() WHERE content_hash = hash(6);
SELECT audiostore.store_segment_audio(s(7), content(6)) IS NOT NULL AS stored;
SELECT state, missing_since, storage_path LIKE 'raw/%' AS raw, lufs FROM audiostore.assets WHERE content_hash = hash(6);
SELECT master(6);
SELECT title, state FROM on_the_way WHERE title IN ('segment 6', 'segment 7');

-- Deleted while it waits
SELECT audiostore.store_segment_audio(s(8), content(8)) IS NOT NULL AS stored;
DELETE FROM audiostore.assets WHERE content_hash = hash(8);
SELECT title, state, audio, error FROM on_the_way WHERE title = 'segment 8';
SELECT master(8);
SELECT state, result ->> 'outcome' AS outcome FROM audiostore.jobs ORDER BY id DESC LIMIT 1;

-- Uploads by signed URL
SELECT audiostore.requeue_segment(s(8));
SELECT error_of($$SELECT audiostore.request_segment_upload(s(8))$$);
SELECT key, upload_url, headers FROM audiostore.request_segment_upload(s(8), 'audio/flac', '10 minutes', 'radio_cloud') \gset
SELECT :'upload_url' LIKE 'http%/none/raw/%.flac?%X-Amz-Expires=600&%' AS url, :'headers' AS headers;
SELECT state, store, upload_expires_at > now() + interval '65 minutes' AS later FROM audiostore.assets WHERE raw_path = :'key';
SELECT kind, store, regexp_replace(key, '[-0-9a-f]{36}', 'UUID') AS key, reason, not_before > now() + interval '65 minutes' AS later
FROM audiostore.operations WHERE store = 'radio_cloud';
SELECT error_of(format('SELECT audiostore.confirm_segment_upload(s(8), %L, %L)', :'key', 'abc'));
SELECT audiostore.confirm_segment_upload(s(8), :'key') = audiostore.confirm_segment_upload(s(8), :'key') AS confirmed;
SELECT count(*) FROM audiostore.operations WHERE store = 'radio_cloud';
SELECT master(8);
SELECT content_hash = hash(8) AS hashed, state FROM audiostore.assets WHERE raw_path = :'key';
-- the same content again: one asset, and the upload's delete stays queued
SELECT key AS key2 FROM audiostore.request_segment_upload(s(9), store => 'radio_cloud') \gset
SELECT audiostore.confirm_segment_upload(s(9), :'key2', upper(hash(8))) AS confirmed \gset
SELECT raw_path = :'key' AS first_one FROM audiostore.assets WHERE id = :'confirmed';
SELECT audiostore.confirm_segment_upload(s(9), :'key2', hash(8)) IS NOT NULL AS again;
SELECT kind, reason FROM audiostore.operations WHERE store = 'radio_cloud' AND key = :'key2';
SELECT title, state FROM on_the_way WHERE title IN ('segment 8', 'segment 9');
-- a hash that is wrong
SELECT add(10, 12);
SELECT key FROM audiostore.request_segment_upload(s(10), store => 'radio_cloud') \gset
SELECT audiostore.confirm_segment_upload(s(10), :'key', hash(10)) IS NOT NULL AS confirmed;
SELECT master(10, actual_hash => hash(11));
SELECT a.state, content_hash, replace(replace(s.error, hash(10), 'ONE'), hash(11), 'OTHER') AS error
FROM audiostore.segments s JOIN audiostore.assets a ON a.id = s.asset_id WHERE s.id = s(10);
-- too late, or never asked for
SELECT key FROM audiostore.request_segment_upload(s(11), store => 'radio_cloud') \gset
UPDATE audiostore.assets SET upload_expires_at = now() WHERE raw_path = :'key';
SELECT error_of(format('SELECT audiostore.confirm_segment_upload(s(11), %L)', :'key'));
SELECT error_of($$SELECT audiostore.confirm_segment_upload(s(11), 'raw/mine')$$);

-- Playout: in airing order, without what must not be aired
UPDATE audiostore.segments SET priority = 1, scheduled_at = '2026-01-01' WHERE id = s(3);
UPDATE audiostore.segments SET scheduled_at = '2026-01-01' WHERE id = s(2);
UPDATE audiostore.assets SET missing_since = now() WHERE content_hash = hash(6);
INSERT INTO audiostore.assets (id, kind, state, store, storage_path) VALUES (s(20), 'music', 'final', 'radio_local', 'music/a.mp3');
INSERT INTO audiostore.music_tracks (title, asset_id) VALUES ('A', s(20));
INSERT INTO audiostore.segments (id, title, state, asset_id, scheduled_at) VALUES (s(20), 'music', 'ready', s(20), '2026-01-02');
SELECT title, regexp_replace(regexp_replace(url, '[-0-9a-f]{36}', 'UUID'), '\?.*', '?...') AS url, url_error, store, duration_seconds, lufs, peak_db
FROM audiostore.playout_next();
SELECT array_agg(title) FROM audiostore.playout_next(2);
SELECT count(*) FROM audiostore.playout_next(program => s(1));
SELECT error_of($$SELECT audiostore.playout_next(expires_in => '0 s')$$), error_of($$SELECT audiostore.playout_next(-1)$$);
SELECT audiostore.report_now_playing(s(3)) AS starts, audiostore.report_now_playing(s(3)) AS again;
SELECT audiostore.report_now_playing(s(2)) AS next;
SELECT title, state, airing_at IS NOT NULL AS airing, aired_at IS NOT NULL AS aired FROM audiostore.segments WHERE id IN (s(2), s(3)) ORDER BY 1;
SELECT audiostore.report_now_playing(s(3)) AS late, audiostore.report_played(s(2)) AS ended, audiostore.report_played(s(2)) AS again;
SELECT audiostore.report_played(s(20)) AS start_was_lost, audiostore.report_played(s(20)) AS again;
SELECT title, play_count, last_played_at IS NOT NULL AS played FROM audiostore.music_tracks;
SELECT title, state, airing_at < aired_at AS stamped FROM audiostore.segments WHERE id = s(20);
SELECT error_of($$SELECT audiostore.report_now_playing(s(12))$$), error_of($$SELECT audiostore.report_played(s(12))$$),
       error_of($$SELECT audiostore.report_played(s(99))$$), error_of($$SELECT audiostore.report_now_playing(s(99))$$);
SELECT array_agg(title) FROM audiostore.playout_next();

DELETE FROM audiostore.segments;
DELETE FROM audiostore.music_tracks;
DELETE FROM audiostore.assets;
DELETE FROM audiostore.jobs WHERE job_type = 'audio_finalize';
SELECT count(audiostore.cancel_operation(id)) > 0 AS cancelled FROM audiostore.operations WHERE store LIKE 'radio\_%';
-- Uploads that nobody confirmed leave no rows
INSERT INTO audiostore.assets (state, storage_path, raw_path, upload_expires_at)
VALUES ('uploading', 'raw/old', 'raw/old', now() - interval '1 minute'), ('uploading', 'raw/new', 'raw/new', now() + interval '1 hour'),
       ('deleted', 'raw/twin', 'raw/twin', now() - interval '1 minute');
CALL audiostore.run();
DELETE FROM audiostore.assets RETURNING storage_path;
SET client_min_messages = warning;
DROP SERVER radio_local CASCADE;
DROP SERVER radio_web CASCADE;
DROP SERVER radio_cloud CASCADE;
DROP SCHEMA radio_test CASCADE;
