CREATE FUNCTION bench.workspace(i bigint) RETURNS uuid IMMUTABLE LANGUAGE sql
RETURN ('00000000-0000-0000-0000-' || lpad(to_hex(i), 12, '0'))::uuid;

INSERT INTO audiostore.workspaces (id, name) SELECT bench.workspace(i), 'station ' || i FROM generate_series(1, 10000) i;
INSERT INTO audiostore.storage_quotas (workspace_id, max_storage_bytes, max_file_count, max_file_size)
    SELECT bench.workspace(i), 1000000000000, 1000000, 1000000000 FROM generate_series(1, 10000) i;
VACUUM ANALYZE audiostore.workspaces, audiostore.storage_quotas;

CREATE TABLE bench.checks AS SELECT bench.workspace(1 + i % 10000) AS workspace FROM generate_series(1, 200000) i;
VACUUM ANALYZE bench.checks;

CREATE FUNCTION bench.check_storage_quota(workspace_id uuid, file_size bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    quota audiostore.storage_quotas%ROWTYPE;
BEGIN
    SELECT * INTO quota FROM audiostore.storage_quotas q WHERE q.workspace_id = check_storage_quota.workspace_id;
    IF NOT FOUND THEN
        RETURN true;
    END IF;
    IF quota.current_storage_bytes + file_size <= quota.max_storage_bytes THEN
        IF quota.current_file_count + 1 <= quota.max_file_count THEN
            IF file_size <= quota.max_file_size THEN
                RETURN true;
            END IF;
        END IF;
    END IF;
    RETURN false;
END
$$;
