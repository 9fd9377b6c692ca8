-- What was done with uploads, and which of them may be archived.
CREATE TABLE audiostore.audio_history (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    upload_id uuid REFERENCES audiostore.audio_uploads ON DELETE CASCADE,
    workspace_id uuid REFERENCES audiostore.workspaces ON DELETE SET NULL,
    user_id uuid,
    operation varchar(50) NOT NULL DEFAULT 'transcription',
    status varchar(50) NOT NULL DEFAULT 'completed' CHECK (status IN ('completed', 'failed')),
    processing_options jsonb NOT NULL DEFAULT '{}',
    result jsonb,
    processing_time_ms bigint CHECK (processing_time_ms >= 0),
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audio_history_upload ON audiostore.audio_history (upload_id, created_at);
CREATE INDEX audio_history_workspace ON audiostore.audio_history (workspace_id, created_at);
CREATE INDEX audio_uploads_uploaded_at ON audiostore.audio_uploads (uploaded_at);
COMMENT ON TABLE audiostore.audio_history IS 'What was done with uploads: one row for each time that one was processed. Written by the application; it goes with the upload';
COMMENT ON COLUMN audiostore.audio_history.upload_id IS 'the upload';
COMMENT ON COLUMN audiostore.audio_history.workspace_id IS 'tenant';
COMMENT ON COLUMN audiostore.audio_history.user_id IS 'who asked for it, in the application''s own terms';
COMMENT ON COLUMN audiostore.audio_history.operation IS 'transcription, summary, analysis ...';
COMMENT ON COLUMN audiostore.audio_history.status IS 'completed or failed';
COMMENT ON COLUMN audiostore.audio_history.processing_options IS 'how it was processed';
COMMENT ON COLUMN audiostore.audio_history.result IS 'what came of it, in the application''s own terms';
COMMENT ON COLUMN audiostore.audio_history.processing_time_ms IS 'milliseconds';
COMMENT ON COLUMN audiostore.audio_history.created_at IS 'when it was done';
COMMENT ON INDEX audiostore.audio_history_upload IS 'history of an upload';
COMMENT ON INDEX audiostore.audio_history_workspace IS 'history of a workspace';
COMMENT ON INDEX audiostore.audio_uploads_uploaded_at IS 'uploads by age, for policies';
SELECT pg_catalog.pg_extension_config_dump('audiostore.audio_history', '');

CREATE VIEW audiostore.archival_candidates AS
    SELECT u.id, u.workspace_id, u.original_filename, u.file_size, u.uploaded_at, u.store, u.storage_provider,
           EXTRACT(days FROM now() - u.uploaded_at)::integer AS days_old,
           CASE WHEN h.last IS NULL THEN 'never_processed'
                WHEN h.last < now() - interval '90 days' THEN 'old_processed'
                ELSE 'recent_processed' END AS processing_status
    FROM audiostore.audio_uploads u
    LEFT JOIN LATERAL (SELECT max(a.created_at) AS last FROM audiostore.audio_history a WHERE a.upload_id = u.id) h ON true
    WHERE u.status = 'completed' AND u.uploaded_at < now() - interval '30 days' AND u.storage_path <> '';
COMMENT ON VIEW audiostore.archival_candidates IS
    'Completed uploads older than 30 days that have their object, each once, and when they were last processed: what add_tiering_policy(), or the built-in policy workspace_archive, might move';
COMMENT ON COLUMN audiostore.archival_candidates.days_old IS 'whole days since the upload';
COMMENT ON COLUMN audiostore.archival_candidates.processing_status IS 'never_processed, old_processed (more than 90 days ago) or recent_processed, by audio_history';

CREATE VIEW audiostore.storage_trends AS
    SELECT workspace_id, upload_date, daily_bytes, daily_files,
           sum(daily_bytes) OVER (PARTITION BY workspace_id ORDER BY upload_date) AS cumulative_bytes
    FROM (SELECT workspace_id, uploaded_at::date AS upload_date, coalesce(sum(file_size), 0) AS daily_bytes, count(*) AS daily_files
          FROM audiostore.audio_uploads
          WHERE uploaded_at >= now() - interval '30 days' AND status <> 'deleted'
          GROUP BY workspace_id, uploaded_at::date) daily
    ORDER BY workspace_id, upload_date;
COMMENT ON VIEW audiostore.storage_trends IS 'Uploads of the last 30 days by workspace and day, deleted ones left out';
COMMENT ON COLUMN audiostore.storage_trends.upload_date IS 'day, in the time zone of the session';
COMMENT ON COLUMN audiostore.storage_trends.daily_bytes IS 'bytes uploaded on that day';
COMMENT ON COLUMN audiostore.storage_trends.cumulative_bytes IS 'bytes from the first day shown on';
