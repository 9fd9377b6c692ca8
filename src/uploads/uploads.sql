-- Uploads: one row for each audio file. Tracked by storage_path (see src/tracking/builtin.sql).
CREATE TABLE audiostore.audio_uploads (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid REFERENCES audiostore.workspaces,
    user_id uuid,
    original_filename varchar(500),
    file_size bigint CHECK (file_size >= 0),
    file_type varchar(50),
    mime_type varchar(100),
    duration numeric(10,3) CHECK (duration >= 0 AND duration <> 'NaN'),
    sample_rate integer CHECK (sample_rate > 0),
    channels integer CHECK (channels > 0),
    bitrate integer CHECK (bitrate >= 0),
    codec varchar(50),
    metadata jsonb NOT NULL DEFAULT '{}',
    store text COLLATE "C" DEFAULT audiostore.default_store(),
    storage_provider varchar(50),
    storage_path text COLLATE "C",
    storage_url text,
    storage_region varchar(50),
    checksum_md5 varchar(32),
    checksum_sha256 varchar(64),
    encryption_key_id uuid,
    compression_type varchar(20),
    original_size bigint CHECK (original_size >= 0),
    compressed_size bigint CHECK (compressed_size >= 0),
    status varchar(50) NOT NULL DEFAULT 'uploaded' CHECK (
        status IN ('uploaded', 'validating', 'processing', 'completed', 'failed', 'archived', 'deleted')),
    uploaded_at timestamptz NOT NULL DEFAULT now(),
    validation_started_at timestamptz,
    validation_completed_at timestamptz,
    processing_started_at timestamptz,
    processing_completed_at timestamptz,
    archived_at timestamptz,
    error_code varchar(50),
    error_message text,
    retry_count integer NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
    max_retries integer NOT NULL DEFAULT 3 CHECK (max_retries >= 0)
);

CREATE INDEX audio_uploads_storage_path ON audiostore.audio_uploads (storage_path);
CREATE INDEX audio_uploads_workspace ON audiostore.audio_uploads (workspace_id, uploaded_at);
CREATE INDEX audio_uploads_checksum ON audiostore.audio_uploads (checksum_sha256) WHERE checksum_sha256 IS NOT NULL;

CREATE TRIGGER fill_storage_provider BEFORE INSERT ON audiostore.audio_uploads
    FOR EACH ROW WHEN (NEW.storage_provider IS NULL AND NEW.store IS NOT NULL)
    EXECUTE FUNCTION audiostore.fill_storage_provider();
CREATE TRIGGER follow_store BEFORE UPDATE OF store ON audiostore.audio_uploads
    FOR EACH ROW WHEN (NEW.store IS DISTINCT FROM OLD.store
                       AND NEW.storage_provider IS NOT DISTINCT FROM OLD.storage_provider)
    EXECUTE FUNCTION audiostore.fill_storage_provider();

COMMENT ON TABLE audiostore.audio_uploads IS
    'Registry of uploaded audio files. A row whose status is not deleted owns the object storage_path of its store: '
    'DELETE the row, or set its status to deleted, and the object goes when no other live row holds it';
COMMENT ON COLUMN audiostore.audio_uploads.workspace_id IS 'tenant whose quota counts it; may be NULL';
COMMENT ON COLUMN audiostore.audio_uploads.user_id IS 'who uploaded it, in the application''s own terms';
COMMENT ON COLUMN audiostore.audio_uploads.original_filename IS 'name that the user''s file had';
COMMENT ON COLUMN audiostore.audio_uploads.file_size IS 'bytes';
COMMENT ON COLUMN audiostore.audio_uploads.file_type IS 'extension: mp3, wav, m4a ...';
COMMENT ON COLUMN audiostore.audio_uploads.mime_type IS 'for example audio/mpeg';
COMMENT ON COLUMN audiostore.audio_uploads.duration IS 'seconds, exact to the millisecond';
COMMENT ON COLUMN audiostore.audio_uploads.sample_rate IS 'Hz';
COMMENT ON COLUMN audiostore.audio_uploads.channels IS '1 = mono, 2 = stereo';
COMMENT ON COLUMN audiostore.audio_uploads.bitrate IS 'kbit/s';
COMMENT ON COLUMN audiostore.audio_uploads.codec IS 'mp3, aac, flac ...';
COMMENT ON COLUMN audiostore.audio_uploads.metadata IS 'what else the analysis of the file found';
COMMENT ON COLUMN audiostore.audio_uploads.store IS
    'foreign server that holds the object; default: the setting audiostore.default_store';
COMMENT ON COLUMN audiostore.audio_uploads.storage_provider IS
    'local, s3 ...: filled from the foreign server when NULL, and follows a change of store';
COMMENT ON COLUMN audiostore.audio_uploads.storage_path IS 'key of the object in the store; tracked';
COMMENT ON COLUMN audiostore.audio_uploads.storage_url IS 'public URL, where there is one';
COMMENT ON COLUMN audiostore.audio_uploads.storage_region IS 'region of the store';
COMMENT ON COLUMN audiostore.audio_uploads.checksum_md5 IS 'of the file, hexadecimal, lower case';
COMMENT ON COLUMN audiostore.audio_uploads.checksum_sha256 IS
    'of the file, hexadecimal, lower case; equal values make a duplicate (audiostore.duplicate_uploads)';
COMMENT ON COLUMN audiostore.audio_uploads.encryption_key_id IS 'key of an encrypted file, in the application''s own terms';
COMMENT ON COLUMN audiostore.audio_uploads.compression_type IS 'none, gzip, custom';
COMMENT ON COLUMN audiostore.audio_uploads.original_size IS 'bytes before compression';
COMMENT ON COLUMN audiostore.audio_uploads.compressed_size IS 'bytes after compression';
COMMENT ON COLUMN audiostore.audio_uploads.status IS
    'uploaded, validating, processing, completed, failed, archived or deleted; deleted lets go of the object';
COMMENT ON COLUMN audiostore.audio_uploads.error_code IS 'standardised code of the last failure';
COMMENT ON COLUMN audiostore.audio_uploads.error_message IS 'the last failure in words';
COMMENT ON COLUMN audiostore.audio_uploads.retry_count IS 'retries of the processing so far';
COMMENT ON COLUMN audiostore.audio_uploads.max_retries IS 'give up after so many';
COMMENT ON INDEX audiostore.audio_uploads_storage_path IS 'which rows hold this key';
COMMENT ON INDEX audiostore.audio_uploads_workspace IS 'uploads of a workspace by time';
COMMENT ON INDEX audiostore.audio_uploads_checksum IS 'uploads of the same content';
COMMENT ON TRIGGER fill_storage_provider ON audiostore.audio_uploads IS 'storage_provider from the store, where not given';
COMMENT ON TRIGGER follow_store ON audiostore.audio_uploads IS 'storage_provider from the new store, unless given too';
SELECT pg_catalog.pg_extension_config_dump('audiostore.audio_uploads', '');

CREATE VIEW audiostore.duplicate_uploads AS
    WITH copies AS (
        SELECT id, checksum_sha256, original_filename, file_size, uploaded_at,
               storage_path IS NOT NULL AND 1 = row_number() OVER (
                   PARTITION BY checksum_sha256, store, storage_path ORDER BY uploaded_at, id) AS has_object
        FROM audiostore.audio_uploads
        WHERE checksum_sha256 IS NOT NULL AND status <> 'deleted'
    ), duplicates AS (
        SELECT checksum_sha256,
               count(*) AS duplicate_count,
               coalesce(sum(file_size) FILTER (WHERE has_object) - max(file_size) FILTER (WHERE has_object), 0)
                   AS total_wasted_bytes,
               array_agg(id ORDER BY uploaded_at, id) AS upload_ids,
               array_agg(original_filename ORDER BY uploaded_at, id) AS filenames
        FROM copies
        GROUP BY checksum_sha256
        HAVING count(*) > 1
    )
    SELECT checksum_sha256, duplicate_count, total_wasted_bytes, total_wasted_bytes / (1024.0 * 1024.0) AS wasted_mb,
           upload_ids, filenames
    FROM duplicates
    ORDER BY total_wasted_bytes DESC, checksum_sha256;
COMMENT ON VIEW audiostore.duplicate_uploads IS
    'Uploads of the same content (SHA-256), most wasteful first. Wasted is what could be freed by keeping one object: '
    'rows that share one object, or have none yet, waste nothing';
COMMENT ON COLUMN audiostore.duplicate_uploads.duplicate_count IS 'uploads with this content, at least 2';
COMMENT ON COLUMN audiostore.duplicate_uploads.total_wasted_bytes IS 'bytes of all their objects but one';
COMMENT ON COLUMN audiostore.duplicate_uploads.wasted_mb IS 'the same in MiB';
COMMENT ON COLUMN audiostore.duplicate_uploads.upload_ids IS 'oldest first';
COMMENT ON COLUMN audiostore.duplicate_uploads.filenames IS 'original names, in the same order';
