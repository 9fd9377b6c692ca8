-- Resumable uploads reserve their size from the quota of their workspace: storage_quotas.reserved_bytes is the sum over its
-- rows of chunked_uploads that are under way, made anew in the transaction of each change of them. So nothing is left
-- behind by an error, a crash or a restore. The row of the quota is locked first, and the sum is made under that lock by
-- statements that see what whoever had it before has committed: two uploads cannot take the same last bytes.
CREATE INDEX chunked_uploads_reserved ON audiostore.chunked_uploads (workspace_id)
    WHERE status IN ('initiated', 'uploading', 'assembling');
CREATE INDEX chunked_uploads_incomplete ON audiostore.chunked_uploads (expires_at) WHERE status IN ('initiated', 'uploading');
COMMENT ON INDEX audiostore.chunked_uploads_reserved IS 'what uploads under way reserve of the quota of their workspace';
COMMENT ON INDEX audiostore.chunked_uploads_incomplete IS 'uploads under way by the end of their time';

CREATE FUNCTION audiostore.reserved_of(workspace_id uuid, OUT bytes bigint, OUT files integer)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT least(coalesce(sum(u.file_size), 0), 9223372036854775807)::bigint, least(count(*), 2147483647)::integer
    FROM audiostore.chunked_uploads u
    WHERE u.workspace_id = reserved_of.workspace_id AND u.status IN ('initiated', 'uploading', 'assembling')
$$;
COMMENT ON FUNCTION audiostore.reserved_of(uuid) IS 'What the resumable uploads of a workspace that are under way take of its quota, counted now';
REVOKE ALL ON FUNCTION audiostore.reserved_of(uuid) FROM PUBLIC;

-- As the owner of the extension, because who uploads need not have any right on quotas.
CREATE FUNCTION audiostore.reserve_quota() RETURNS trigger
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed uuid[];
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        changed := ARRAY(SELECT q.workspace_id FROM audiostore.storage_quotas q WHERE q.reserved_files > 0);
    ELSIF TG_OP = 'INSERT' THEN
        changed := ARRAY(SELECT DISTINCT n.workspace_id FROM new_rows n WHERE n.status IN ('initiated', 'uploading', 'assembling'));
    ELSIF TG_OP = 'DELETE' THEN
        changed := ARRAY(SELECT DISTINCT o.workspace_id FROM old_rows o WHERE o.status IN ('initiated', 'uploading', 'assembling'));
    ELSE
        changed := ARRAY(
            WITH before AS (SELECT workspace_id, id, file_size FROM old_rows WHERE status IN ('initiated', 'uploading', 'assembling')),
                 after AS (SELECT workspace_id, id, file_size FROM new_rows WHERE status IN ('initiated', 'uploading', 'assembling'))
            SELECT workspace_id FROM (TABLE before EXCEPT TABLE after) gone
            UNION SELECT workspace_id FROM (TABLE after EXCEPT TABLE before) come);
    END IF;
    PERFORM 1 FROM audiostore.storage_quotas q WHERE q.workspace_id = ANY (changed) ORDER BY q.workspace_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        PERFORM audiostore.expire_chunked_uploads(changed);
    END IF;
    -- The trigger below counts.
    UPDATE audiostore.storage_quotas q SET reserved_bytes = DEFAULT, reserved_files = DEFAULT WHERE q.workspace_id = ANY (changed);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION audiostore.reserve_quota() IS 'Statement trigger of chunked_uploads: brings the reservations of the workspaces concerned up to date';
REVOKE ALL ON FUNCTION audiostore.reserve_quota() FROM PUBLIC;

CREATE TRIGGER reserve_quota_insert AFTER INSERT ON audiostore.chunked_uploads
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audiostore.reserve_quota();
CREATE TRIGGER reserve_quota_update AFTER UPDATE ON audiostore.chunked_uploads
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audiostore.reserve_quota();
CREATE TRIGGER reserve_quota_delete AFTER DELETE ON audiostore.chunked_uploads
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION audiostore.reserve_quota();
CREATE TRIGGER reserve_quota_truncate AFTER TRUNCATE ON audiostore.chunked_uploads
    FOR EACH STATEMENT EXECUTE FUNCTION audiostore.reserve_quota();
COMMENT ON TRIGGER reserve_quota_insert ON audiostore.chunked_uploads IS 'uploads that begin reserve their size';
COMMENT ON TRIGGER reserve_quota_update ON audiostore.chunked_uploads IS 'uploads that end reserve nothing';
COMMENT ON TRIGGER reserve_quota_delete ON audiostore.chunked_uploads IS 'nor do those that go';
COMMENT ON TRIGGER reserve_quota_truncate ON audiostore.chunked_uploads IS 'nor do those that all go';

CREATE FUNCTION audiostore.count_reserved() RETURNS trigger
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT r.bytes, r.files INTO NEW.reserved_bytes, NEW.reserved_files FROM audiostore.reserved_of(NEW.workspace_id) r;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION audiostore.count_reserved() IS 'Row trigger of storage_quotas: reserved_bytes and reserved_files are counted, not believed';
REVOKE ALL ON FUNCTION audiostore.count_reserved() FROM PUBLIC;
CREATE TRIGGER count_reserved BEFORE INSERT OR UPDATE OF workspace_id, reserved_bytes, reserved_files ON audiostore.storage_quotas
    FOR EACH ROW EXECUTE FUNCTION audiostore.count_reserved();
COMMENT ON TRIGGER count_reserved ON audiostore.storage_quotas IS 'what the uploads under way reserve, at this moment';

-- Waits for nobody: a quota that is locked by an application's transaction has its turn later.
CREATE FUNCTION audiostore.lock_quota_now(workspace_id uuid) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM 1 FROM audiostore.storage_quotas q WHERE q.workspace_id = lock_quota_now.workspace_id FOR NO KEY UPDATE SKIP LOCKED;
    RETURN FOUND OR NOT EXISTS (SELECT FROM audiostore.storage_quotas q WHERE q.workspace_id = lock_quota_now.workspace_id);
END
$$;
COMMENT ON FUNCTION audiostore.lock_quota_now(uuid) IS
    'For the worker: locks the quota of a workspace, if there is one, without waiting; false when somebody else has it locked';
REVOKE ALL ON FUNCTION audiostore.lock_quota_now(uuid) FROM PUBLIC;

CREATE FUNCTION audiostore.expire_chunked_uploads(workspaces uuid[] DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    upload record;
    expired uuid[] := '{}';
BEGIN
    FOR upload IN
        SELECT u.id, u.workspace_id FROM audiostore.chunked_uploads u
        WHERE u.status IN ('initiated', 'uploading') AND u.expires_at <= clock_timestamp()
          AND (workspaces IS NULL OR u.workspace_id = ANY (workspaces))
        ORDER BY u.expires_at LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        IF upload.workspace_id IS NULL OR audiostore.lock_quota_now(upload.workspace_id) THEN
            expired := expired || upload.id;
        END IF;
    END LOOP;
    UPDATE audiostore.chunked_uploads u SET status = 'failed', error_message = 'it was not complete at its expires_at'
    WHERE u.id = ANY (expired);
    RETURN cardinality(expired);
END
$$;
COMMENT ON FUNCTION audiostore.expire_chunked_uploads(uuid[]) IS
    'For the worker, and for a workspace that begins another upload: resumable uploads whose chunks are not all there at their expires_at have failed, and reserve nothing any more; returns how many';
REVOKE ALL ON FUNCTION audiostore.expire_chunked_uploads(uuid[]) FROM PUBLIC;
