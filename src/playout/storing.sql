-- Audio comes in: stored once for equal bytes, linked with its segment, queued for mastering, all in the caller's
-- transaction. Locks are taken in one order everywhere, asset before segment, so that sessions that store the same
-- bytes, or master them meanwhile, wait for each other but never in a circle.
CREATE FUNCTION audiostore.raw_key(content_type text) RETURNS text
    LANGUAGE sql VOLATILE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'raw/' || gen_random_uuid() || CASE lower(split_part(content_type, ';', 1))
        WHEN 'audio/wav' THEN '.wav' WHEN 'audio/x-wav' THEN '.wav' WHEN 'audio/wave' THEN '.wav'
        WHEN 'audio/mpeg' THEN '.mp3' WHEN 'audio/flac' THEN '.flac' WHEN 'audio/ogg' THEN '.ogg'
        WHEN 'audio/opus' THEN '.opus' WHEN 'audio/mp4' THEN '.m4a' WHEN 'audio/aac' THEN '.aac'
        WHEN 'audio/webm' THEN '.webm' WHEN 'audio/aiff' THEN '.aiff' ELSE '' END
$$;
COMMENT ON FUNCTION audiostore.raw_key(text) IS 'A key below raw/ that no object has yet, with the usual extension of this media type';

CREATE FUNCTION audiostore.final_key(asset_id uuid) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'final/' || asset_id || '.wav';
COMMENT ON FUNCTION audiostore.final_key(uuid) IS 'Key of the mastered audio of an asset: final/<asset_id>.wav';

-- Looks before it adds: an asset's jobs are settled by sessions that lock the asset second, and nobody may wait for
-- one of them while holding the asset.
CREATE FUNCTION audiostore.enqueue_audio_finalize(asset_id uuid) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM audiostore.jobs j
                   WHERE j.job_type = 'audio_finalize' AND j.unique_key = enqueue_audio_finalize.asset_id::text
                         AND j.state IN ('pending', 'running') AND j.unique_key IS NOT NULL) THEN
        PERFORM audiostore.enqueue_job('audio_finalize', jsonb_build_object('asset_id', enqueue_audio_finalize.asset_id),
                                       unique_key => enqueue_audio_finalize.asset_id::text);
    END IF;
END
$$;
COMMENT ON FUNCTION audiostore.enqueue_audio_finalize(uuid) IS
    'Queues the mastering of an asset whose row the caller has locked, unless it is queued already';

CREATE FUNCTION audiostore.revive_asset(asset_id uuid, key text, size bigint, content_type text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE audiostore.assets a
    SET state = 'raw', storage_path = revive_asset.key, raw_path = revive_asset.key, size = revive_asset.size,
        content_type = revive_asset.content_type, error = NULL, missing_since = NULL, validation = NULL,
        validation_passed = NULL, mastering = NULL, mastered_at = NULL, lufs = NULL, peak_db = NULL, gain_db = NULL
    WHERE a.id = revive_asset.asset_id;
END
$$;
COMMENT ON FUNCTION audiostore.revive_asset(uuid, text, bigint, text) IS
    'Lets an asset that failed, or whose object is missing, begin again with raw audio under this key';

CREATE FUNCTION audiostore.store_audio(
    audio bytea, kind text DEFAULT 'speech', content_type text DEFAULT 'audio/wav', store name DEFAULT NULL) RETURNS uuid
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    hash text;
    key CONSTANT text := audiostore.raw_key(store_audio.content_type);
    in_store CONSTANT text := coalesce(store_audio.store::text, audiostore.default_store());
    asset audiostore.assets;
    is_new boolean;
BEGIN
    IF audio IS NULL THEN
        RAISE EXCEPTION 'audio must not be null' USING ERRCODE = 'null_value_not_allowed';
    ELSIF octet_length(audio) = 0 THEN
        RAISE EXCEPTION 'audio is empty' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    hash := encode(sha256(audio), 'hex');
    LOOP
        INSERT INTO audiostore.assets (kind, state, store, storage_path, raw_path, size, content_type, content_hash)
        VALUES (coalesce(store_audio.kind, 'speech'), 'raw', in_store, key, key, octet_length(audio),
                store_audio.content_type, hash)
        ON CONFLICT (content_hash, store) WHERE content_hash IS NOT NULL AND state NOT IN ('uploading', 'deleted')
        DO NOTHING
        RETURNING * INTO asset;
        is_new := FOUND;
        EXIT WHEN is_new;
        SELECT * INTO asset FROM audiostore.assets a
        WHERE a.content_hash = hash AND a.store = in_store AND a.state NOT IN ('uploading', 'deleted')
        FOR NO KEY UPDATE;
        -- It was deleted in between: this one is new after all.
        EXIT WHEN FOUND;
    END LOOP;
    IF NOT is_new THEN
        IF asset.state NOT IN ('failed', 'missing') AND asset.missing_since IS NULL THEN
            RETURN asset.id;
        END IF;
        PERFORM audiostore.revive_asset(asset.id, key, octet_length(audio), store_audio.content_type);
    END IF;
    PERFORM audiostore.put_object(in_store::name, key, audio, store_audio.content_type);
    PERFORM audiostore.enqueue_audio_finalize(asset.id);
    RETURN asset.id;
END
$$;
COMMENT ON FUNCTION audiostore.store_audio(bytea, text, text, name) IS
    'Stores audio as an asset of this kind (speech, music, jingle, sound) and queues its mastering; returns the asset''s id. '
    'Equal bytes in one store are one asset: the existing one is returned, mastered or not, and begins again where it had '
    'failed or its object was missing. The object, the row and the job audio_finalize are part of the transaction. Needs '
    'USAGE on the store (NULL: the default store). Errors: 22004 and 22023 without audio, 54000 above 1 GB - 64 kB';

CREATE FUNCTION audiostore.link_segment_audio(segment_id uuid, asset_id uuid) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    asset audiostore.assets;
    segment audiostore.segments;
BEGIN
    SELECT * INTO asset FROM audiostore.assets a WHERE a.id = link_segment_audio.asset_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'asset % does not exist', link_segment_audio.asset_id USING ERRCODE = 'undefined_object';
    END IF;
    SELECT * INTO segment FROM audiostore.segments s WHERE s.id = link_segment_audio.segment_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'segment % does not exist', link_segment_audio.segment_id USING ERRCODE = 'undefined_object';
    ELSIF segment.state IN ('ready', 'airing', 'aired', 'archived') AND segment.asset_id = asset.id THEN
        RETURN;
    ELSIF segment.state IN ('ready', 'airing', 'aired', 'archived', 'failed') THEN
        RAISE EXCEPTION 'segment % cannot take audio in state "%"', segment.id, segment.state
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = CASE segment.state WHEN 'failed' THEN coalesce(segment.error, 'It failed.')
                           ELSE 'It has other audio already.' END,
                  HINT = CASE segment.state WHEN 'failed' THEN 'Queue it again with audiostore.requeue_segment().'
                         ELSE 'Make a new segment, or fail and requeue this one.' END;
    END IF;
    UPDATE audiostore.segments s
    SET asset_id = asset.id, duration_seconds = coalesce(asset.duration_seconds, s.duration_seconds)
    WHERE s.id = segment.id;
    PERFORM audiostore.move_segment(segment.id, 'normalizing');
    IF asset.state = 'final' AND asset.validation_passed IS NOT FALSE THEN
        PERFORM audiostore.move_segment(segment.id, 'ready');
    ELSIF asset.state = 'final' THEN
        PERFORM audiostore.fail_segment(segment.id, asset.error);
    END IF;
END
$$;
COMMENT ON FUNCTION audiostore.link_segment_audio(uuid, uuid) IS
    'Gives a segment its audio and moves it to normalizing, through the states that were not reported; on to ready where '
    'the asset is mastered already, to failed where it broke validation rules. Nothing happens to a segment that has this '
    'audio already. Errors: 42704 when there is no such segment or asset, 55000 when the segment has failed or has other '
    'audio on its way to air';

CREATE FUNCTION audiostore.store_segment_audio(
    segment_id uuid, audio bytea, content_type text DEFAULT 'audio/wav', store name DEFAULT NULL) RETURNS uuid
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    asset uuid;
BEGIN
    -- Before a large value is hashed and queued.
    IF NOT EXISTS (SELECT FROM audiostore.segments s WHERE s.id = store_segment_audio.segment_id) THEN
        RAISE EXCEPTION 'segment % does not exist', store_segment_audio.segment_id USING ERRCODE = 'undefined_object';
    END IF;
    asset := audiostore.store_audio(store_segment_audio.audio, 'speech', store_segment_audio.content_type,
                                    store_segment_audio.store);
    PERFORM audiostore.link_segment_audio(store_segment_audio.segment_id, asset);
    RETURN asset;
END
$$;
COMMENT ON FUNCTION audiostore.store_segment_audio(uuid, bytea, text, name) IS
    'Stores the audio of a segment as store_audio() does and links it as link_segment_audio() does, in one transaction; '
    'returns the asset''s id. The same call again changes nothing. Errors: those of both';
