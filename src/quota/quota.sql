-- Limits and usage of a workspace.
CREATE TABLE audiostore.storage_quotas (
    workspace_id uuid PRIMARY KEY REFERENCES audiostore.workspaces ON DELETE CASCADE,
    max_storage_bytes bigint CHECK (max_storage_bytes >= 0),
    max_file_count integer CHECK (max_file_count >= 0),
    max_file_size bigint CHECK (max_file_size >= 0),
    max_monthly_uploads integer CHECK (max_monthly_uploads >= 0),
    current_storage_bytes bigint NOT NULL DEFAULT 0 CHECK (current_storage_bytes >= 0),
    current_file_count integer NOT NULL DEFAULT 0 CHECK (current_file_count >= 0),
    monthly_uploads integer NOT NULL DEFAULT 0 CHECK (monthly_uploads >= 0),
    monthly_upload_bytes bigint NOT NULL DEFAULT 0 CHECK (monthly_upload_bytes >= 0),
    retention_days integer CHECK (retention_days >= 0),
    auto_cleanup boolean NOT NULL DEFAULT false,
    archive_threshold_days integer CHECK (archive_threshold_days >= 0),
    archive_storage_class varchar(50),
    reserved_bytes bigint NOT NULL DEFAULT 0 CHECK (reserved_bytes >= 0),
    reserved_files integer NOT NULL DEFAULT 0 CHECK (reserved_files >= 0)
);
COMMENT ON TABLE audiostore.storage_quotas IS
    'Limits and usage of a workspace. A limit that is NULL does not limit, and neither does a missing row';
COMMENT ON COLUMN audiostore.storage_quotas.max_storage_bytes IS 'limit of current_storage_bytes and reserved_bytes together';
COMMENT ON COLUMN audiostore.storage_quotas.max_file_count IS 'limit of current_file_count and reserved_files together';
COMMENT ON COLUMN audiostore.storage_quotas.max_file_size IS 'largest single file, bytes';
COMMENT ON COLUMN audiostore.storage_quotas.max_monthly_uploads IS 'uploads in a calendar month; not looked at by check_storage_quota()';
COMMENT ON COLUMN audiostore.storage_quotas.current_storage_bytes IS 'bytes in use, as the application counts them';
COMMENT ON COLUMN audiostore.storage_quotas.current_file_count IS 'files in use, as the application counts them';
COMMENT ON COLUMN audiostore.storage_quotas.monthly_uploads IS 'uploads of this month';
COMMENT ON COLUMN audiostore.storage_quotas.monthly_upload_bytes IS 'bytes uploaded in this month';
COMMENT ON COLUMN audiostore.storage_quotas.retention_days IS 'uploads may go after so many days';
COMMENT ON COLUMN audiostore.storage_quotas.auto_cleanup IS 'whether they go by themselves';
COMMENT ON COLUMN audiostore.storage_quotas.archive_threshold_days IS 'uploads may be archived after so many days';
COMMENT ON COLUMN audiostore.storage_quotas.archive_storage_class IS 'cold, glacier ...: what archiving moves them to';
COMMENT ON COLUMN audiostore.storage_quotas.reserved_bytes IS
    'bytes of resumable uploads that are initiated, uploading or assembling; kept by the extension, whatever is written here';
COMMENT ON COLUMN audiostore.storage_quotas.reserved_files IS 'number of those uploads';
SELECT pg_catalog.pg_extension_config_dump('audiostore.storage_quotas', '');

CREATE FUNCTION audiostore.check_storage_quota(workspace_id uuid, file_size bigint) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'audiostore_check_storage_quota';
COMMENT ON FUNCTION audiostore.check_storage_quota(uuid, bigint) IS
    'Whether a file of file_size bytes fits into the quota of the workspace, beside what is in use and what is reserved for '
    'resumable uploads under way: its storage, its number of files and its largest file. True when the workspace has no row in storage_quotas. It reserves nothing, and reads the table as the '
    'calling statement sees it. The answer is the same for every caller: no privilege on storage_quotas is needed. '
    'Errors: 22004 for NULL, 22023 for a negative size';

CREATE FUNCTION audiostore.reservation_fits(workspace_id uuid, file_size bigint) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'audiostore_reservation_fits';
COMMENT ON FUNCTION audiostore.reservation_fits(uuid, bigint) IS
    'check_storage_quota() for a file that reserved_bytes and reserved_files have counted already. For initiate_chunked_upload(). Errors: 22004, 22023';

CREATE VIEW audiostore.storage_usage_by_workspace AS
    SELECT w.id AS workspace_id,
           w.name AS workspace_name,
           coalesce(u.file_count, 0) AS file_count,
           coalesce(u.total_bytes, 0) AS total_bytes,
           coalesce(u.total_bytes, 0) / (1024.0 * 1024.0) AS total_mb,
           u.avg_file_size,
           u.oldest_file,
           u.newest_file,
           q.max_storage_bytes,
           q.max_storage_bytes - coalesce(u.total_bytes, 0) - q.reserved_bytes AS remaining_bytes,
           coalesce(q.reserved_bytes, 0) AS reserved_bytes
    FROM audiostore.workspaces w
    LEFT JOIN (
        SELECT workspace_id,
               count(*) AS file_count,
               sum(file_size) AS total_bytes,
               avg(file_size) AS avg_file_size,
               min(uploaded_at) AS oldest_file,
               max(uploaded_at) AS newest_file
        FROM audiostore.audio_uploads
        WHERE status <> 'deleted'
        GROUP BY workspace_id) u ON u.workspace_id = w.id
    LEFT JOIN audiostore.storage_quotas q ON q.workspace_id = w.id;
COMMENT ON VIEW audiostore.storage_usage_by_workspace IS
    'What each workspace stores, counted from audio_uploads (deleted ones left out); workspaces without uploads included';
COMMENT ON COLUMN audiostore.storage_usage_by_workspace.total_mb IS 'MiB';
COMMENT ON COLUMN audiostore.storage_usage_by_workspace.max_storage_bytes IS 'the quota; NULL: unlimited';
COMMENT ON COLUMN audiostore.storage_usage_by_workspace.remaining_bytes IS
    'bytes left of the quota, reserved ones taken off, below zero when it is exceeded; NULL: unlimited';
COMMENT ON COLUMN audiostore.storage_usage_by_workspace.reserved_bytes IS 'bytes of resumable uploads under way';
