-- Chunks: an upload cut into stretches of time. Tracked by chunk_path (see src/tracking/builtin.sql).
CREATE TABLE audiostore.audio_chunks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    upload_id uuid NOT NULL REFERENCES audiostore.audio_uploads ON DELETE CASCADE,
    chunk_index integer NOT NULL CHECK (chunk_index >= 0),
    total_chunks integer,
    start_time numeric(10,3),
    end_time numeric(10,3),
    duration numeric(10,3),
    chunk_filename varchar(500),
    chunk_size bigint CHECK (chunk_size >= 0),
    store text COLLATE "C" DEFAULT audiostore.default_store(),
    chunk_path text COLLATE "C",
    checksum_md5 varchar(32),
    status varchar(50) NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    processing_started_at timestamptz,
    processing_completed_at timestamptz,
    processing_time_ms bigint CHECK (processing_time_ms >= 0),
    transcription_result_id uuid,
    processing_job_id uuid,
    CONSTRAINT audio_chunks_in_order UNIQUE (upload_id, chunk_index),
    CONSTRAINT audio_chunks_time_check CHECK (start_time >= 0 AND end_time >= start_time)
);
CREATE INDEX audio_chunks_chunk_path ON audiostore.audio_chunks (chunk_path);

COMMENT ON TABLE audiostore.audio_chunks IS
    'Stretches of an upload that are processed on their own, usually made by audiostore.create_audio_chunks(). A row '
    'owns the object chunk_path of its store, if it has one; the rows go with their upload';
COMMENT ON COLUMN audiostore.audio_chunks.upload_id IS 'the upload that it is a part of';
COMMENT ON COLUMN audiostore.audio_chunks.chunk_index IS 'position in the upload, from 0';
COMMENT ON COLUMN audiostore.audio_chunks.total_chunks IS 'number of chunks of the upload';
COMMENT ON COLUMN audiostore.audio_chunks.start_time IS 'seconds from the beginning of the upload';
COMMENT ON COLUMN audiostore.audio_chunks.end_time IS 'seconds from the beginning of the upload; where the next chunk starts';
COMMENT ON COLUMN audiostore.audio_chunks.duration IS 'end_time - start_time';
COMMENT ON COLUMN audiostore.audio_chunks.chunk_filename IS 'chunk_<upload_id>_000.wav and so on';
COMMENT ON COLUMN audiostore.audio_chunks.chunk_size IS 'bytes of the chunk''s file';
COMMENT ON COLUMN audiostore.audio_chunks.store IS
    'foreign server that holds the object; default: the setting audiostore.default_store';
COMMENT ON COLUMN audiostore.audio_chunks.chunk_path IS 'key of the chunk''s object in the store, once there is one; tracked';
COMMENT ON COLUMN audiostore.audio_chunks.checksum_md5 IS 'of the chunk''s file, hexadecimal, lower case';
COMMENT ON COLUMN audiostore.audio_chunks.status IS 'pending, processing, completed or failed';
COMMENT ON COLUMN audiostore.audio_chunks.processing_time_ms IS 'milliseconds';
COMMENT ON COLUMN audiostore.audio_chunks.transcription_result_id IS 'result of the chunk, in the application''s own terms';
COMMENT ON COLUMN audiostore.audio_chunks.processing_job_id IS 'job that processes the chunk, in the application''s own terms';
COMMENT ON CONSTRAINT audio_chunks_in_order ON audiostore.audio_chunks IS 'one chunk at each position of an upload';
COMMENT ON INDEX audiostore.audio_chunks_chunk_path IS 'which rows hold this key';
SELECT pg_catalog.pg_extension_config_dump('audiostore.audio_chunks', '');

CREATE FUNCTION audiostore.create_audio_chunks(
    upload_id uuid, file_duration numeric, max_chunk_duration numeric DEFAULT 300.0) RETURNS integer
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_create_audio_chunks';
COMMENT ON FUNCTION audiostore.create_audio_chunks(uuid, numeric, numeric) IS
    'Cuts an upload of file_duration seconds into rows of audio_chunks, each max_chunk_duration seconds long but the '
    'last, and returns their number. Boundaries are exact to the millisecond (further digits are rounded as '
    'numeric(10,3) does), without gap or overlap; the last chunk ends at file_duration. The chunks get the store of '
    'their upload. Errors: 22004 for NULL, 22023 for zero, negative or not finite durations, 22003 beyond '
    'numeric(10,3) or 2147483647 chunks, 23503 for an unknown upload, 23505 for one that has chunks already (also when '
    'another session is making them). Needs the privilege INSERT on audio_chunks';
