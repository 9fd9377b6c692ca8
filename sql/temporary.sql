-- Temporary objects: leases, and handing over to a permanent key.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
SELECT current_setting('data_directory') || '/regress-temporary' AS root,
       'cat >/dev/null; cd "' || current_setting('data_directory') || '" && rm -rf regress-temporary && mkdir -p'
       || ' regress-temporary/scratch regress-temporary/library' AS make_root \gset
COPY (SELECT 1) TO PROGRAM :'make_root';
CREATE SERVER tp_scratch FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root', prefix 'scratch/');
CREATE SERVER tp_library FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root', prefix 'library/');
CREATE SERVER tp_bucket FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 's3', bucket 'scratch', region 'eu-west-1', endpoint 'http://127.0.0.1:9', addressing 'path');
CREATE USER MAPPING FOR PUBLIC SERVER tp_bucket OPTIONS (access_key_id 'key', secret_access_key 'secret');
CREATE VIEW tp_queue AS
    SELECT kind, store, CASE WHEN key ~ '^[0-9a-f-]{36}' THEN 'uuid' || substr(key, 37) ELSE key END AS key, target_store, target,
           reason, not_before = 'infinity' AS waits
    FROM audiostore.pending_operations WHERE store LIKE 'tp%' ORDER BY id;
CREATE VIEW tp_rows AS
    SELECT 'uuid' || substr(key, 37) AS key, state, purpose, promoted_to_store, promoted_to, sidecar_key, last_error
    FROM audiostore.temporary_objects WHERE store LIKE 'tp%' ORDER BY created_at;
CREATE PROCEDURE tp_drain() LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        CALL audiostore.run('outbox');
        EXIT WHEN NOT EXISTS (SELECT FROM audiostore.pending_operations
                              WHERE store LIKE 'tp%' AND not_before <= clock_timestamp());
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
CREATE FUNCTION tp_text(store name, key text) RETURNS text LANGUAGE sql
    AS $$ SELECT convert_from(audiostore.get_object(store, key), 'UTF8') $$;
-- What a call says, without the parts that are random.
CREATE FUNCTION tp_error(call text, OUT code text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'SELECT audiostore.' || call INTO message;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    message := regexp_replace(message, '[0-9a-f-]{36}', 'uuid');
    detail := regexp_replace(detail, '\d{4}-.*', 'TIME.');
    hint := regexp_replace(hint, '\(\d+\)', '(ID)');
END
$$;
-- As if a lease, and the time in which a client may still upload, had ended.
CREATE FUNCTION tp_lapse(interval) RETURNS void LANGUAGE sql
    AS $$ UPDATE audiostore.temporary_objects
          SET expires_at = expires_at - $1, upload_until = upload_until - $1, keep_until = keep_until - $1
          WHERE store LIKE 'tp%' $$;

-- A lease on a directory: no URL, so it is written with put_object.
SELECT key AS song, key ~ '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.wav$' AS unguessable,
       upload_url FROM audiostore.create_temporary_object('tp_scratch', '.wav', purpose => 'speech', metadata => '{"voice": "anna"}') \gset made_
\echo :made_unguessable :{?made_upload_url}
SELECT state, purpose, metadata, created_by = current_user AS mine,
       expires_at - created_at AS lease, upload_until - expires_at AS margin FROM audiostore.temporary_objects WHERE key = :'made_song';
SELECT audiostore.put_object('tp_scratch', :'made_song', 'la la la', 'audio/wav') > 0 AS queued;
-- Its row owns it.
SELECT * FROM tp_error(format($$delete_object('tp_scratch', %1$L)$$, :'made_song')) \gx
SELECT audiostore.extend_temporary_object('tp_scratch', :'made_song', '1 second') = expires_at AS not_shorter
FROM audiostore.temporary_objects WHERE key = :'made_song';
SELECT audiostore.extend_temporary_object('tp_scratch', :'made_song', '3 days') > now() + '2 days' AS longer;

-- Handed over, with its application's row, in one transaction.
CREATE TABLE tp_paragraphs (id int PRIMARY KEY, audio text,
    metadata text GENERATED ALWAYS AS (audiostore.sidecar_key(audio)) STORED);
SELECT audiostore.track('tp_paragraphs', 'audio', store => 'tp_library');
SELECT audiostore.track('tp_paragraphs', 'metadata', store => 'tp_library');
\set template '{novel_id}_{title}/chapter_{number}_{chapter_title}/paragraph_{paragraph}/paragraph_{paragraph}.wav'
\set params '{"novel_id": 7, "title": "Số Đỏ", "number": 1, "chapter_title": "Xuân: tóc đỏ / đầu", "paragraph": 12}'
BEGIN;
INSERT INTO tp_paragraphs VALUES (1, audiostore.promote_object('tp_scratch', :'made_song', 'tp_library', :'template', :'params',
    '{"duration": 2.5, "voice": "anna"}'));
SELECT * FROM tp_paragraphs;
SELECT * FROM tp_queue;
SELECT tp_text('tp_library', audio) AS audio, tp_text('tp_library', metadata) AS metadata FROM tp_paragraphs;
ROLLBACK;
SELECT * FROM tp_queue;
SELECT key, state FROM tp_rows;
INSERT INTO tp_paragraphs VALUES (1, audiostore.promote_object('tp_scratch', :'made_song', 'tp_library', :'template', :'params',
    '{"duration": 2.5, "voice": "anna"}'));
-- Twice equals once; another key is another matter.
SELECT audiostore.promote_object('tp_scratch', :'made_song', 'tp_library', :'template', :'params', '{"other": 1}') = audio AS same
FROM tp_paragraphs;
SELECT count(*) AS operations FROM tp_queue;

\set VERBOSITY terse
SELECT * FROM tp_error(format($$promote_object('tp_scratch', %1$L, 'tp_library', 'elsewhere.wav')$$, :'made_song')) \gx
SELECT * FROM tp_error(format($$extend_temporary_object('tp_scratch', %1$L)$$, :'made_song')) \gx
-- In any clean-up: nothing to release.
SELECT audiostore.release_temporary_object('tp_scratch', :'made_song');
-- The lease ends before the move has been done: the object stays.
SELECT tp_lapse('4 days');
CALL audiostore.run('expiry');
SELECT state, promoted_to_store, promoted_to = audio AS to_audio, sidecar_key = metadata AS to_metadata FROM tp_rows, tp_paragraphs;
CALL tp_drain();
SELECT state, promoted_to_store, promoted_to = audio AS to_audio, sidecar_key = metadata AS to_metadata FROM tp_rows, tp_paragraphs;
SELECT key, size FROM audiostore.list_objects('tp_library');
SELECT key FROM audiostore.list_objects('tp_scratch');
SELECT tp_text('tp_library', audio) AS audio, tp_text('tp_library', metadata) AS metadata,
       (audiostore.head_object('tp_library', audio)).content_type, (audiostore.head_object('tp_library', metadata)).content_type
FROM tp_paragraphs;
SELECT audiostore.promote_object('tp_scratch', :'made_song', 'tp_library', :'template', :'params') = audio AS still_the_same
FROM tp_paragraphs;
SELECT * FROM tp_error(format($$promote_object('tp_scratch', %1$L, 'tp_library', 'elsewhere.wav')$$, :'made_song')) \gx
SELECT count(*) AS operations FROM tp_queue;
-- The sidecar goes with the row.
DELETE FROM tp_paragraphs;
CALL tp_drain();
SELECT key FROM audiostore.list_objects('tp_library');
-- History goes by itself.
SELECT tp_lapse('100 years');
CALL audiostore.run('expiry');
SELECT * FROM tp_rows;

-- A row that goes before the move is done takes both along: no sidecar stays alone.
SELECT key AS song FROM audiostore.create_temporary_object('tp_scratch', '.wav') \gset
SELECT audiostore.put_object('tp_scratch', :'song', 'x') > 0 AS queued;
INSERT INTO tp_paragraphs VALUES (2, audiostore.promote_object('tp_scratch', :'song', 'tp_library', 'b/{n}.wav', '{"n": 2}', '{}'));
DELETE FROM tp_paragraphs;
SELECT * FROM tp_queue;
CALL tp_drain();
SELECT key FROM audiostore.list_objects('tp_library') UNION ALL SELECT key FROM audiostore.list_objects('tp_scratch');

-- Nobody ever wrote it: the promotion fails, and leaves no sidecar.
SELECT key AS song FROM audiostore.create_temporary_object('tp_scratch', '.wav') \gset
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', 'c/{n}.wav', '{"n": 3}', '{"n": 3}');
CALL tp_drain();
SELECT state, promoted_to, regexp_replace(last_error, '[0-9a-f-]{36}', 'uuid') AS last_error FROM audiostore.temporary_object_status WHERE key = :'song';
SELECT * FROM tp_queue;
SELECT kind, state FROM audiostore.dead_operations WHERE store LIKE 'tp%';
SELECT key FROM audiostore.list_objects('tp_library');
SELECT * FROM tp_error(format($$promote_object('tp_scratch', %1$L, 'tp_library', 'd/{n}.wav', '{"n": 3}')$$, :'song')) \gx
-- It is written late, and promoted again.
SELECT audiostore.put_object('tp_scratch', :'song', 'late') > 0 AS queued;
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', 'c/{n}.wav', '{"n": 3}', '{"n": 3}');
SELECT * FROM tp_queue;
CALL tp_drain();
SELECT key, size FROM audiostore.list_objects('tp_library');
SELECT key FROM audiostore.list_objects('tp_scratch');
SELECT state, last_error FROM audiostore.temporary_object_status WHERE key = :'song';

-- A promotion that is cancelled leaves a temporary object, and one that failed can be given up.
SELECT key AS song FROM audiostore.create_temporary_object('tp_scratch', '.wav', '1 minute') \gset
SELECT audiostore.put_object('tp_scratch', :'song', 'y') > 0 AS queued;
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', 'e.wav', sidecar => '{"e": 1}');
SELECT audiostore.cancel_operation(id) FROM audiostore.operations WHERE kind = 'move';
SELECT * FROM tp_queue;
SELECT state, promoted_to, expires_at > now() + '1 hour' AS time_is_left FROM audiostore.temporary_object_status WHERE key = :'song';
SELECT audiostore.release_temporary_object('tp_scratch', :'song'), audiostore.release_temporary_object('tp_scratch', :'song') AS twice;
SELECT * FROM tp_error(format($$promote_object('tp_scratch', %1$L, 'tp_library', 'e.wav')$$, :'song')) \gx
SELECT key AS song FROM audiostore.create_temporary_object('tp_scratch') \gset
SELECT audiostore.put_object('tp_library', 'f.wav', 'older') > 0 AS queued;
CALL tp_drain();
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', 'f.wav', sidecar => '{"f": 1}');
CALL tp_drain();
SELECT state FROM audiostore.temporary_object_status WHERE key = :'song';
SELECT audiostore.release_temporary_object('tp_scratch', :'song');
SELECT count(*) AS dead FROM audiostore.dead_operations WHERE store LIKE 'tp%';
CALL tp_drain();
CALL audiostore.run('expiry');
SELECT key FROM audiostore.list_objects('tp_scratch');
SELECT tp_text('tp_library', 'f.wav');
SELECT key, state FROM tp_rows;

-- Expiry: a lease that ends takes its object along; what is uploaded after that is swept away in the end.
SELECT key AS song, regexp_replace(upload_url, '[0-9a-f-]{36}', 'uuid') ~
    '^http://127\.0\.0\.1:9/scratch/uuid\.caf\?.*X-Amz-Expires=5400&' AS signed
FROM audiostore.create_temporary_object('tp_bucket', '.caf', '90 minutes') \gset
\echo :signed
SELECT upload_until - expires_at AS margin FROM audiostore.temporary_objects WHERE key = :'song';
SELECT upload_url ~ 'X-Amz-Expires=604800&' AS seven_days FROM audiostore.create_temporary_object('tp_bucket', '', '30 days') \gset
\echo :seven_days
SELECT audiostore.release_temporary_object('tp_bucket', key) FROM audiostore.temporary_objects WHERE key <> :'song' AND store = 'tp_bucket';
SELECT tp_lapse('91 minutes');
CALL audiostore.run('expiry');
SELECT state, ended_at IS NOT NULL AS ended, due_at = upload_until AS kept_for_the_upload
FROM audiostore.temporary_objects WHERE store = 'tp_bucket' ORDER BY created_at;
SELECT kind, key, reason FROM tp_queue WHERE store = 'tp_bucket' ORDER BY key;
DELETE FROM audiostore.operations WHERE store = 'tp_bucket';
SELECT tp_lapse('1 hour');
CALL audiostore.run('expiry');
SELECT state FROM audiostore.temporary_objects WHERE store = 'tp_bucket';
SELECT kind, key, reason FROM tp_queue WHERE store = 'tp_bucket' ORDER BY key;
DELETE FROM audiostore.operations WHERE store = 'tp_bucket';
SELECT tp_lapse('31 days');
CALL audiostore.run('expiry');
SELECT count(*) AS rows FROM audiostore.temporary_objects WHERE store = 'tp_bucket';
SELECT kind, key, reason FROM tp_queue WHERE store = 'tp_bucket' ORDER BY key;
DELETE FROM audiostore.operations WHERE store = 'tp_bucket';
-- A transaction that puts the object late is no different.
SELECT key AS song FROM audiostore.create_temporary_object('tp_scratch', '.wav', '1 minute') \gset
SELECT tp_lapse('1 minute');
CALL audiostore.run();
SELECT audiostore.put_object('tp_scratch', :'song', 'late') > 0 AS queued;
CALL tp_drain();
SELECT state, (audiostore.head_object(store, key)).size FROM audiostore.temporary_objects WHERE key = :'song';
SELECT tp_lapse('1 hour');
CALL audiostore.run();
SELECT count(*) AS objects FROM audiostore.list_objects('tp_scratch');
-- In batches.
DELETE FROM audiostore.temporary_objects;
INSERT INTO audiostore.temporary_objects (key, store, expires_at)
    SELECT gen_random_uuid(), 'tp_scratch', now() - interval '1 second' FROM generate_series(1, 2500);
SELECT key AS song FROM audiostore.create_temporary_object('tp_scratch', '.wav') \gset
CALL audiostore.run('expiry');
SELECT count(*) AS rows FROM audiostore.temporary_objects WHERE store = 'tp_scratch';
SELECT count(*) AS deletes FROM tp_queue;
CALL tp_drain();
SELECT key FROM audiostore.list_objects('tp_scratch');
UPDATE audiostore.temporary_objects SET expires_at = now() WHERE key = :'song';
SELECT * FROM tp_error(format($$extend_temporary_object('tp_scratch', %1$L)$$, :'song')) \gx
SELECT * FROM tp_error(format($$promote_object('tp_scratch', %1$L, 'tp_library', 'g.wav')$$, :'song')) \gx

-- What cannot be.
SELECT audiostore.create_temporary_object('nowhere', '.wav');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.create_temporary_object('tp_scratch', 'wav');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.create_temporary_object('tp_scratch', '/../.wav');
SELECT audiostore.create_temporary_object('tp_scratch', '.w..v');
SELECT audiostore.create_temporary_object('tp_scratch', '.' || repeat('w', 32));
SELECT audiostore.create_temporary_object('tp_scratch', '.wav', '0');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.create_temporary_object('tp_scratch', '.wav', '-1 hour');
SELECT audiostore.create_temporary_object('tp_scratch', '.wav', '367 days');
SELECT audiostore.create_temporary_object('tp_scratch', '.wav', '100000000 years');
SELECT audiostore.create_temporary_object('tp_scratch', '.wav', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.create_temporary_object('tp_scratch', '.wav', metadata => '[1]');
SELECT audiostore.extend_temporary_object('tp_scratch', 'no such');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.promote_object('tp_scratch', 'no such', 'tp_library', 'a.wav');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.release_temporary_object('tp_scratch', 'no such');
SELECT key AS song FROM audiostore.create_temporary_object('tp_scratch', '.wav') \gset
\set VERBOSITY default
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', '{a}/{b}.wav', '{"a": 1}');
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', '{a}.wav', '{"a": 1, "tittle": 2}');
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', '{a}.wav', '{"a": null}');
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', '{a}.wav', '{"a": [1]}');
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', '{a}.wav', '{"a": "../.."}');
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', '{a}/x.wav', '{"a": "/"}');
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', '{a:ascii}.wav', '{"a": "日本語"}');
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', '{a}.wav', '[]');
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', '../{a}.wav', '{"a": 1}');
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', '{a', '{"a": 1}');
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', repeat('x', 300));
SELECT audiostore.promote_object('tp_scratch', :'song', 'nowhere', 'a.wav');
SELECT * FROM tp_error(format($$promote_object('tp_scratch', %1$L, 'tp_scratch', '{a}.wav', jsonb_build_object('a', left(%1$L, 36)))$$, :'song')) \gx
\set VERBOSITY terse
SELECT audiostore.promote_object('tp_scratch', :'song', NULL, 'a.wav');
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', NULL);
-- One title, however it is written, is one key; letters can be folded.
BEGIN;
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', '{t}/{t:ascii}/{{{n}}}/{yes}.wav',
    jsonb_build_object('t', normalize('Đất rừng phương Nam', NFD), 'n', 1.50, 'yes', true));
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', '{t}/{t:ascii}/{{{n}}}/{yes}.wav',
    jsonb_build_object('t', 'Đất rừng phương Nam', 'n', 1.50, 'yes', true));
ROLLBACK;
SELECT length(key) AS characters, octet_length(key) AS octets, octet_length(audiostore.sidecar_key(key)) AS with_sidecar, right(key, 13) ~ '_[0-9a-f]{8}\.wav' AS cut
FROM audiostore.promote_object('tp_scratch', :'song', 'tp_library', '{t}.wav', jsonb_build_object('t', repeat('ộ', 1000))) key;
SELECT audiostore.sidecar_key('a/b.wav'), audiostore.sidecar_key('a.b/c');

-- Privileges: USAGE on the store, and no more.
SELECT audiostore.cancel_operation(id) FROM audiostore.operations WHERE kind = 'move';
CREATE ROLE tp_app;
SET ROLE tp_app;
SELECT audiostore.create_temporary_object('tp_scratch', '.wav');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.promote_object('tp_scratch', :'song', 'tp_library', 'a.wav');
SELECT audiostore.release_temporary_object('tp_scratch', :'song');
SELECT audiostore.extend_temporary_object('tp_scratch', :'song');
SELECT count(*) FROM audiostore.temporary_object_status;
SELECT count(*) FROM audiostore.temporary_objects;
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER tp_scratch TO tp_app;
SET ROLE tp_app;
SELECT key AS other FROM audiostore.create_temporary_object('tp_scratch', '.wav', purpose => 'by app') \gset
SELECT store, state, purpose, created_by FROM audiostore.temporary_object_status WHERE purpose = 'by app';
SELECT audiostore.promote_object('tp_scratch', :'other', 'tp_library', 'a.wav');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER tp_library TO tp_app;
SET ROLE tp_app;
SELECT audiostore.promote_object('tp_scratch', :'other', 'tp_library', 'a.wav');
RESET ROLE;
SELECT audiostore.cancel_operation(id) FROM audiostore.operations WHERE kind = 'move';

-- Debug objects, with names that sort by time.
CREATE FUNCTION tp_shape(key text) RETURNS text LANGUAGE sql
    AS $$ SELECT regexp_replace(key, '\d{8}T\d{6}\.\d{6}Z', 'TIME') $$;
SELECT tp_shape(audiostore.put_debug_object('tp_library', 'input', 'req-17', 'caf')),
       tp_shape(audiostore.put_debug_object('tp_library', 'output', '../../etc/pass wd', 'mp3')),
       tp_shape(audiostore.put_debug_object('tp_library', 'input', 'req-17', 'caf', 'decode/failed')),
       tp_shape(audiostore.put_debug_object('tp_library', 'output', 'req-17', 'mp3', 'timeout')) \gx
CALL tp_drain();
SELECT tp_shape(key), content_type, metadata FROM audiostore.list_objects('tp_library', 'debug/') l,
    audiostore.head_object('tp_library', l.key) ORDER BY 1;
SELECT audiostore.put_debug_object('tp_library', 'throughput', 'r', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.put_debug_object('tp_library', 'input', '', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.put_debug_object('tp_library', 'input', 'r', 'x', '///');
SELECT audiostore.put_debug_object('tp_library', 'input', NULL, 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.put_debug_object('tp_library', 'input', 'r', NULL);
SET ROLE tp_app;
SELECT audiostore.put_debug_object('tp_bucket', 'input', 'r', 'x');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
-- Kept where the request itself fails: its error handler ends what failed, and then writes.
CREATE PROCEDURE tp_transcribe(request text, audio bytea) LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'cannot decode';
EXCEPTION WHEN OTHERS THEN
    PERFORM audiostore.put_debug_object('tp_library', 'input', request, audio, SQLERRM);
END
$$;
CALL tp_transcribe('req-18', 'bad');
SELECT kind, tp_shape(key) AS key FROM tp_queue WHERE reason = 'put_debug_object';

-- A copy that is queued can be read under its new key, and so can what it is made of.
SELECT audiostore.put_object('tp_library', 'one', 'first', 'audio/flac') > 0 AS put,
       audiostore.copy_object('tp_library', 'one', 'tp_library', 'two') > 0 AS copy,
       audiostore.move_object('tp_library', 'two', 'tp_library', 'three') > 0 AS move;
SELECT tp_text('tp_library', 'three'), (audiostore.head_object('tp_library', 'three')).content_type,
       tp_text('tp_library', 'two') AS still_there;
CALL tp_drain();
SELECT audiostore.copy_object('tp_library', 'three', 'tp_scratch', 'four') > 0 AS copy;
SELECT tp_text('tp_scratch', 'four'), (audiostore.head_object('tp_scratch', 'four')).size,
       (audiostore.head_object('tp_scratch', 'four')).etag IS NULL AS no_etag_yet;
SELECT audiostore.copy_object('tp_library', 'nothing', 'tp_scratch', 'five') > 0 AS copy;
SELECT tp_text('tp_scratch', 'five');
\echo :LAST_ERROR_SQLSTATE

DELETE FROM audiostore.temporary_objects WHERE store LIKE 'tp%';
DELETE FROM audiostore.operations WHERE store LIKE 'tp%';
DELETE FROM audiostore.alerts;
DROP TABLE tp_paragraphs;
DROP OWNED BY tp_app;
DROP ROLE tp_app;
DROP VIEW tp_queue, tp_rows;
DROP PROCEDURE tp_drain, tp_transcribe;
DROP FUNCTION tp_text, tp_lapse, tp_shape, tp_error;
DELETE FROM audiostore.operations WHERE store LIKE 'tp%';
DROP SERVER tp_scratch;
DROP SERVER tp_library;
DROP SERVER tp_bucket CASCADE;
