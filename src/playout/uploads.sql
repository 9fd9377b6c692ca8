-- The same for audio that is too large to travel through SQL: the client PUTs it to a signed URL. The asset's row is
-- there from the start but owns nothing yet, and a delete of its key is queued for the time when the upload expires:
-- whatever becomes of the client, nothing stays behind. A confirmed upload's row owns its key, and that cancels the delete.
CREATE FUNCTION audiostore.request_segment_upload(
    segment_id uuid, content_type text DEFAULT 'audio/wav', expires_in interval DEFAULT '1 hour', store name DEFAULT NULL,
    OUT asset_id uuid, OUT key text, OUT upload_url text, OUT headers jsonb, OUT expires_at timestamptz)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    in_store CONSTANT text := coalesce(request_segment_upload.store::text, audiostore.default_store());
    segment_state text;
    confirm_until timestamptz;
BEGIN
    SELECT s.state INTO segment_state FROM audiostore.segments s WHERE s.id = request_segment_upload.segment_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'segment % does not exist', request_segment_upload.segment_id USING ERRCODE = 'undefined_object';
    ELSIF segment_state NOT IN ('queued', 'retrieving', 'generating', 'rendering', 'normalizing') THEN
        RAISE EXCEPTION 'segment % cannot take audio in state "%"', request_segment_upload.segment_id, segment_state
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    key := audiostore.raw_key(request_segment_upload.content_type);
    headers := jsonb_build_object('Content-Type', request_segment_upload.content_type);
    expires_at := clock_timestamp() + request_segment_upload.expires_in;
    upload_url := audiostore.signed_url(in_store::name, key, 'PUT', request_segment_upload.expires_in, headers,
                                        at => clock_timestamp());
    -- An upload that began in time may end later.
    confirm_until := expires_at + interval '1 hour';
    INSERT INTO audiostore.assets AS a (state, store, storage_path, raw_path, content_type, upload_expires_at)
    VALUES ('uploading', in_store, key, key, request_segment_upload.content_type, confirm_until)
    RETURNING a.id INTO asset_id;
    PERFORM audiostore.expire_object(in_store::name, key, confirm_until);
END
$$;
COMMENT ON FUNCTION audiostore.request_segment_upload(uuid, text, interval, name) IS
    'For large audio: a URL to which a client can PUT the audio of a segment for expires_in (1 second to 7 days), sending '
    'exactly these headers; then call confirm_segment_upload() with the key, at most an hour after expires_at. What is not '
    'confirmed by then is deleted. Local stores have no such URLs. Errors: 42704 when there is no such segment, 55000 when '
    'it cannot take audio, 22023 for expires_in out of range, and those of signed_url()';

CREATE FUNCTION audiostore.adopt_upload(upload audiostore.assets, hash text) RETURNS uuid
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    twin audiostore.assets;
BEGIN
    LOOP
        SELECT * INTO twin FROM audiostore.assets a
        WHERE a.content_hash = hash AND a.store = upload.store AND a.state NOT IN ('uploading', 'deleted')
        FOR NO KEY UPDATE;
        EXIT WHEN FOUND;
        BEGIN
            UPDATE audiostore.assets a
            SET state = 'raw', content_hash = hash, upload_expires_at = NULL
            WHERE a.id = upload.id;
            PERFORM audiostore.enqueue_audio_finalize(upload.id);
            RETURN upload.id;
        EXCEPTION WHEN unique_violation THEN
            -- Somebody else stored the same content meanwhile: look again, with a snapshot that has it.
            IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
                RAISE EXCEPTION 'could not serialize access due to concurrent update'
                    USING ERRCODE = 'serialization_failure', HINT = 'Retry the transaction.';
            END IF;
        END;
    END LOOP;
    -- The upload stays with its delete: its URL may still be used until it expires.
    UPDATE audiostore.assets a
    SET state = 'deleted', content_hash = hash, raw_path = CASE
        WHEN twin.state IN ('failed', 'missing') OR twin.missing_since IS NOT NULL THEN NULL ELSE a.raw_path END
    WHERE a.id = upload.id;
    IF twin.state IN ('failed', 'missing') OR twin.missing_since IS NOT NULL THEN
        PERFORM audiostore.revive_asset(twin.id, upload.storage_path, NULL, upload.content_type);
        PERFORM audiostore.enqueue_audio_finalize(twin.id);
    END IF;
    RETURN twin.id;
END
$$;
COMMENT ON FUNCTION audiostore.adopt_upload(audiostore.assets, text) IS
    'The asset that an upload becomes: itself, or the one that has the same content already';

CREATE FUNCTION audiostore.confirm_segment_upload(segment_id uuid, key text, content_hash text DEFAULT NULL)
    RETURNS uuid
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    upload audiostore.assets;
    asset uuid;
    hash CONSTANT text := lower(confirm_segment_upload.content_hash);
BEGIN
    IF hash !~ '^[0-9a-f]{64}$' THEN
        RAISE EXCEPTION 'invalid content_hash' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'It is the SHA-256 of the file as 64 hexadecimal digits.';
    END IF;
    SELECT * INTO upload FROM audiostore.assets a WHERE a.raw_path = confirm_segment_upload.key FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no upload was requested for key "%"', confirm_segment_upload.key
            USING ERRCODE = 'undefined_object', HINT = 'Keys come from audiostore.request_segment_upload().';
    ELSIF upload.state = 'uploading' AND upload.upload_expires_at <= clock_timestamp() THEN
        RAISE EXCEPTION 'the upload of key "%" has expired', confirm_segment_upload.key
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = format('It had to be confirmed by %s; what was uploaded is deleted.', upload.upload_expires_at),
                  HINT = 'Request another upload.';
    ELSIF upload.state = 'uploading' THEN
        asset := audiostore.adopt_upload(upload, hash);
    ELSIF upload.state = 'deleted' THEN
        -- Confirmed before, and then given up for its twin.
        SELECT a.id INTO asset FROM audiostore.assets a
        WHERE a.content_hash = upload.content_hash AND a.store = upload.store
              AND a.state NOT IN ('uploading', 'deleted');
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the asset of key "%" is deleted', confirm_segment_upload.key
                USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Request another upload.';
        END IF;
    ELSE
        asset := upload.id;
    END IF;
    PERFORM audiostore.link_segment_audio(confirm_segment_upload.segment_id, asset);
    RETURN asset;
END
$$;
COMMENT ON FUNCTION audiostore.confirm_segment_upload(uuid, text, text) IS
    'The client has uploaded the audio: from now on the asset owns the object. It is linked and queued for mastering as '
    'store_segment_audio() does, and the asset''s id is returned. content_hash, the SHA-256 of the file, lets equal audio be '
    'one asset; mastering checks it, and fails the asset where it is wrong. Whether the object is there is found out by '
    'mastering, too. The same call again changes nothing. Errors: 42704 for a key that was not given out, 55000 when the '
    'upload has expired, 55006 when its delete is on its way, 22023 for a malformed content_hash, and those of link_segment_audio()';
