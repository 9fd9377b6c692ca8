-- From chunks to the object: queued when all chunks are in the store, settled by the receipt of the operation.
CREATE FUNCTION audiostore.queue_assembly(store name, key text, parts text[], size bigint, content_type text) RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_queue_assembly';
COMMENT ON FUNCTION audiostore.queue_assembly(name, text, text[], bigint, text) IS
    'Queues a put of an object made of others of its store, one after the other, size bytes together, with a receipt; returns the operation''s id. For advance_chunked_uploads()';
REVOKE ALL ON FUNCTION audiostore.queue_assembly(name, text, text[], bigint, text) FROM PUBLIC;

CREATE FUNCTION audiostore.advance_chunked_uploads() RETURNS bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    upload record;
    advanced bigint := audiostore.expire_chunked_uploads();
BEGIN
    FOR upload IN
        SELECT u.*, r.operation_id IS NOT NULL AS done, o.state AS operation_state, o.last_error
        FROM audiostore.chunked_uploads u
        LEFT JOIN audiostore.operation_receipts r ON r.operation_id = u.operation_id
        LEFT JOIN audiostore.operation_rows o ON o.id = u.operation_id
        WHERE u.status = 'assembling'
        ORDER BY u.id LIMIT 100 FOR NO KEY UPDATE OF u SKIP LOCKED
    LOOP
        IF upload.operation_id IS NULL THEN
            CONTINUE WHEN EXISTS (
                SELECT FROM audiostore.chunked_upload_parts p
                JOIN audiostore.operation_rows o ON o.key = p.part_path AND o.store = p.store AND o.kind = 'put'
                WHERE p.upload_id = upload.id);
            UPDATE audiostore.chunked_uploads u
            SET operation_id = audiostore.queue_assembly(upload.store::name, upload.storage_path,
                (SELECT array_agg(p.part_path ORDER BY p.chunk_index) FROM audiostore.chunked_upload_parts p
                 WHERE p.upload_id = upload.id), upload.file_size, upload.content_type)
            WHERE u.id = upload.id;
        ELSIF upload.workspace_id IS NOT NULL AND (upload.done OR upload.operation_state IS NULL)
            AND NOT audiostore.lock_quota_now(upload.workspace_id) THEN
            CONTINUE;
        ELSIF upload.done THEN
            UPDATE audiostore.chunked_uploads u
            SET status = 'completed', completed_at = clock_timestamp(), error_message = NULL WHERE u.id = upload.id;
            DELETE FROM audiostore.chunked_upload_parts p WHERE p.upload_id = upload.id;
            DELETE FROM audiostore.operation_receipts r WHERE r.operation_id = upload.operation_id;
        ELSIF upload.operation_state IS NULL THEN
            UPDATE audiostore.chunked_uploads u SET status = 'failed', error_message = 'its operation was cancelled'
            WHERE u.id = upload.id;
        ELSE
            UPDATE audiostore.chunked_uploads u SET error_message = upload.last_error
            WHERE u.id = upload.id AND u.error_message IS DISTINCT FROM upload.last_error;
            CONTINUE;
        END IF;
        advanced := advanced + 1;
    END LOOP;
    DELETE FROM audiostore.operation_receipts r WHERE r.done_at < clock_timestamp() - interval '7 days'
        AND NOT EXISTS (SELECT FROM audiostore.moves m WHERE m.operation_id = r.operation_id)
        AND NOT EXISTS (SELECT FROM audiostore.chunked_uploads u WHERE u.operation_id = r.operation_id);
    RETURN advanced;
END
$$;
COMMENT ON FUNCTION audiostore.advance_chunked_uploads() IS
    'For the worker: queues the assembly of resumable uploads whose chunks are all in the store, and completes those whose object is; those that are not complete at their expires_at have failed. Returns how many';
REVOKE ALL ON FUNCTION audiostore.advance_chunked_uploads() FROM PUBLIC;
