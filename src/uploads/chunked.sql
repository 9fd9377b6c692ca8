-- Resumable uploads: a large file comes in chunks of bytes, in any order, each of them as often as it takes.
CREATE TABLE audiostore.chunked_uploads (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid REFERENCES audiostore.workspaces ON DELETE CASCADE,
    user_id uuid,
    filename varchar(500) NOT NULL CHECK (filename <> ''),
    file_size bigint NOT NULL CHECK (file_size > 0),
    chunk_size integer NOT NULL DEFAULT 5242880 CHECK (chunk_size > 0),
    total_chunks integer NOT NULL GENERATED ALWAYS AS (((file_size + chunk_size - 1) / chunk_size)::integer) STORED,
    content_type varchar(255),
    store text COLLATE "C" NOT NULL DEFAULT audiostore.default_store(),
    storage_path text COLLATE "C" NOT NULL CHECK (storage_path <> ''),
    status varchar(50) NOT NULL DEFAULT 'initiated' CHECK (
        status IN ('initiated', 'uploading', 'assembling', 'completed', 'failed', 'aborted')),
    operation_id bigint,
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    expires_at timestamptz NOT NULL DEFAULT now() + interval '1 day',
    CONSTRAINT chunked_uploads_chunks_check CHECK ((file_size - 1) / chunk_size < 100000)
);
CREATE TABLE audiostore.chunked_upload_parts (
    upload_id uuid NOT NULL REFERENCES audiostore.chunked_uploads ON DELETE CASCADE,
    chunk_index integer NOT NULL CHECK (chunk_index >= 0),
    store text COLLATE "C" NOT NULL,
    part_path text COLLATE "C" NOT NULL,
    size bigint NOT NULL CHECK (size > 0),
    checksum_sha256 varchar(64) NOT NULL,
    uploaded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (upload_id, chunk_index)
);
CREATE INDEX chunked_uploads_storage_path ON audiostore.chunked_uploads (storage_path);
CREATE INDEX chunked_uploads_assembling ON audiostore.chunked_uploads (id) WHERE status = 'assembling';
CREATE INDEX chunked_uploads_expires_at ON audiostore.chunked_uploads (expires_at);
CREATE INDEX chunked_uploads_workspace ON audiostore.chunked_uploads (workspace_id);
CREATE INDEX chunked_upload_parts_path ON audiostore.chunked_upload_parts (part_path);

COMMENT ON TABLE audiostore.chunked_uploads IS
    'Uploads that come in chunks: initiate_chunked_upload(), upload_chunk(), and when all are there the worker makes them into the object storage_path. A row owns that object from then on; one of another tracked table that has the same store and storage_path, such as of audio_uploads, owns it as well';
COMMENT ON COLUMN audiostore.chunked_uploads.workspace_id IS 'tenant; may be NULL';
COMMENT ON COLUMN audiostore.chunked_uploads.user_id IS 'who uploads it, in the application''s own terms';
COMMENT ON COLUMN audiostore.chunked_uploads.filename IS 'name that the user''s file has';
COMMENT ON COLUMN audiostore.chunked_uploads.file_size IS 'bytes of the whole file';
COMMENT ON COLUMN audiostore.chunked_uploads.chunk_size IS 'bytes of each chunk but the last';
COMMENT ON COLUMN audiostore.chunked_uploads.total_chunks IS 'number of chunks, at most 100000';
COMMENT ON COLUMN audiostore.chunked_uploads.content_type IS 'media type of the object';
COMMENT ON COLUMN audiostore.chunked_uploads.store IS 'foreign server that holds the parts and the object';
COMMENT ON COLUMN audiostore.chunked_uploads.storage_path IS 'key of the object; tracked';
COMMENT ON COLUMN audiostore.chunked_uploads.status IS
    'initiated; uploading: there are chunks; assembling: all are there; completed: the object is; failed: see error_message; aborted by abort_chunked_upload()';
COMMENT ON COLUMN audiostore.chunked_uploads.operation_id IS 'the operation that makes the object';
COMMENT ON COLUMN audiostore.chunked_uploads.expires_at IS 'when it has failed, unless all chunks are there; and when the built-in policy chunked_uploads removes it, completed or not';
COMMENT ON CONSTRAINT chunked_uploads_chunks_check ON audiostore.chunked_uploads IS 'at most 100000 chunks';
COMMENT ON INDEX audiostore.chunked_uploads_storage_path IS 'which rows hold this key';
COMMENT ON INDEX audiostore.chunked_uploads_assembling IS 'what the worker looks after';
COMMENT ON INDEX audiostore.chunked_uploads_expires_at IS 'what is abandoned, for policies';
COMMENT ON INDEX audiostore.chunked_uploads_workspace IS 'uploads of a workspace';
COMMENT ON TABLE audiostore.chunked_upload_parts IS 'Chunks of a resumable upload that are there; they go when the object is made, and with the upload';
COMMENT ON COLUMN audiostore.chunked_upload_parts.chunk_index IS 'position in the file, from 0';
COMMENT ON COLUMN audiostore.chunked_upload_parts.store IS 'that of the upload';
COMMENT ON COLUMN audiostore.chunked_upload_parts.part_path IS 'key of the chunk''s object, chunks/<upload>/<index>/<beginning of its checksum>; tracked';
COMMENT ON COLUMN audiostore.chunked_upload_parts.size IS 'bytes';
COMMENT ON COLUMN audiostore.chunked_upload_parts.checksum_sha256 IS 'of the chunk, hexadecimal';
COMMENT ON COLUMN audiostore.chunked_upload_parts.uploaded_at IS 'when it came';
COMMENT ON INDEX audiostore.chunked_upload_parts_path IS 'which rows hold this key';
SELECT pg_catalog.pg_extension_config_dump('audiostore.chunked_uploads', '');
SELECT pg_catalog.pg_extension_config_dump('audiostore.chunked_upload_parts', '');

CREATE FUNCTION audiostore.initiate_chunked_upload(
    filename text, file_size bigint, chunk_size integer DEFAULT 5242880, store name DEFAULT NULL, storage_path text DEFAULT NULL,
    content_type text DEFAULT NULL, workspace_id uuid DEFAULT NULL, expires_in interval DEFAULT '1 day') RETURNS uuid
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    new_id CONSTANT uuid := gen_random_uuid();
    in_store CONSTANT text := coalesce(store::text, audiostore.default_store());
BEGIN
    IF file_size IS NULL OR chunk_size IS NULL OR filename IS NULL THEN
        RAISE EXCEPTION 'filename, file_size and chunk_size must not be null' USING ERRCODE = 'null_value_not_allowed';
    ELSIF file_size <= 0 OR chunk_size <= 0 OR (file_size - 1) / chunk_size >= 100000 THEN
        RAISE EXCEPTION 'a file of % bytes cannot come in chunks of %', file_size, chunk_size
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'Both must be positive, and there are at most 100000 chunks.';
    END IF;
    INSERT INTO audiostore.chunked_uploads AS u
        (id, workspace_id, filename, file_size, chunk_size, content_type, store, storage_path, expires_at)
    VALUES (new_id, workspace_id, filename, file_size, chunk_size, content_type, in_store,
            coalesce(storage_path, format('uploads/%s/%s', new_id, regexp_replace(filename, '[^A-Za-z0-9._-]+', '_', 'g'))),
            now() + expires_in);
    -- The row has reserved its size, and holds the lock on the quota: nobody else can take these bytes from now on.
    IF workspace_id IS NOT NULL AND NOT audiostore.reservation_fits(workspace_id, file_size) THEN
        RAISE EXCEPTION 'the file does not fit into the quota of the workspace' USING ERRCODE = 'program_limit_exceeded',
            DETAIL = format('It has %s bytes.', file_size), HINT = 'See audiostore.storage_quotas.';
    END IF;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION audiostore.initiate_chunked_upload(text, bigint, integer, name, text, text, uuid, interval) IS
    'Begins a resumable upload of file_size bytes in chunks of chunk_size (5 MiB) and returns its id. The object will have the key storage_path (NULL: one below uploads/ with the id and the file''s name) in the store (NULL: the default store). Reserves its size from the quota of the workspace until it is completed, aborted, failed, or not complete at its expires_at (expires_in from now); so uploads that begin at the same time cannot overshoot it. Needs INSERT on chunked_uploads. Errors: 22004, 22023, 54000 (quota)';

CREATE FUNCTION audiostore.upload_chunk(
    upload_id uuid, chunk_index integer, data bytea, OUT completed integer, OUT total integer, OUT progress numeric)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    upload audiostore.chunked_uploads;
    part audiostore.chunked_upload_parts;
    wanted bigint;
    hash text;
    path text;
BEGIN
    IF upload_chunk.data IS NULL OR upload_chunk.chunk_index IS NULL THEN
        RAISE EXCEPTION 'chunk_index and data must not be null' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    SELECT * INTO upload FROM audiostore.chunked_uploads u WHERE u.id = upload_chunk.upload_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'chunked upload % does not exist', upload_chunk.upload_id USING ERRCODE = 'undefined_object',
            HINT = 'It may have expired: begin again with audiostore.initiate_chunked_upload().';
    ELSIF upload_chunk.chunk_index < 0 OR upload_chunk.chunk_index >= upload.total_chunks THEN
        RAISE EXCEPTION 'chunk % is out of range', upload_chunk.chunk_index USING ERRCODE = 'invalid_parameter_value',
            DETAIL = format('The upload has %s chunks, counted from 0.', upload.total_chunks);
    END IF;
    wanted := least(upload.chunk_size, upload.file_size - upload_chunk.chunk_index::bigint * upload.chunk_size);
    IF octet_length(upload_chunk.data) <> wanted THEN
        RAISE EXCEPTION 'chunk % has the wrong size', upload_chunk.chunk_index USING ERRCODE = 'invalid_parameter_value',
            DETAIL = format('It has %s bytes, and must have %s.', octet_length(upload_chunk.data), wanted);
    END IF;
    total := upload.total_chunks;
    hash := encode(sha256(upload_chunk.data), 'hex');
    SELECT * INTO part FROM audiostore.chunked_upload_parts p
    WHERE p.upload_id = upload.id AND p.chunk_index = upload_chunk.chunk_index;
    IF upload.status IN ('initiated', 'uploading') AND part.checksum_sha256 IS DISTINCT FROM hash THEN
        -- Other bytes have another key: a put that is still queued for those before cannot come after these.
        path := format('chunks/%s/%s/%s', upload.id, upload_chunk.chunk_index, left(hash, 16));
        PERFORM audiostore.put_object(upload.store::name, path, upload_chunk.data);
        INSERT INTO audiostore.chunked_upload_parts AS p (upload_id, chunk_index, store, part_path, size, checksum_sha256)
        VALUES (upload.id, upload_chunk.chunk_index, upload.store, path, wanted, hash)
        ON CONFLICT ON CONSTRAINT chunked_upload_parts_pkey
            DO UPDATE SET part_path = excluded.part_path, checksum_sha256 = excluded.checksum_sha256, uploaded_at = now();
    ELSIF upload.status NOT IN ('initiated', 'uploading', 'assembling', 'completed') OR part.checksum_sha256 <> hash THEN
        RAISE EXCEPTION 'chunked upload % is %', upload.id, upload.status USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Begin again with audiostore.initiate_chunked_upload().';
    END IF;
    completed := CASE upload.status WHEN 'completed' THEN total ELSE
        (SELECT count(*) FROM audiostore.chunked_upload_parts p WHERE p.upload_id = upload.id) END;
    IF upload.status IN ('initiated', 'uploading') THEN
        UPDATE audiostore.chunked_uploads u SET status = CASE WHEN completed = total THEN 'assembling' ELSE 'uploading' END
        WHERE u.id = upload.id AND (completed = total OR u.status = 'initiated');
    END IF;
    progress := round(completed::numeric / total, 4);
END
$$;
COMMENT ON FUNCTION audiostore.upload_chunk(uuid, integer, bytea) IS
    'Stores chunk number chunk_index (from 0) of a resumable upload: chunks come in any order, and the same one as often as it takes; one with other bytes replaces the one before. Returns how many are there, of how many, and the share. With the last one the upload is assembling, and the worker makes the object. Needs SELECT, INSERT and UPDATE on chunked_uploads and chunked_upload_parts and USAGE on the store. Errors: 22004, 22023 (index or size), 42704 (no such upload), 55000 (it has failed or was aborted, or is assembled from other bytes)';

CREATE FUNCTION audiostore.abort_chunked_upload(upload_id uuid) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE audiostore.chunked_uploads u SET status = 'aborted'
    WHERE u.id = abort_chunked_upload.upload_id AND u.status IN ('initiated', 'uploading', 'assembling', 'failed');
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM audiostore.chunked_upload_parts p WHERE p.upload_id = abort_chunked_upload.upload_id;
    RETURN true;
END
$$;
COMMENT ON FUNCTION audiostore.abort_chunked_upload(uuid) IS
    'Ends a resumable upload and lets go of its chunks; false when it is completed, aborted already, or not there. Needs UPDATE on chunked_uploads and DELETE on chunked_upload_parts';
