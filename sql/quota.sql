-- Workspaces and their quotas.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
CREATE SCHEMA quota_test;
SET search_path = quota_test;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

INSERT INTO audiostore.workspaces (id, name)
SELECT ('00000000-0000-0000-0000-00000000000' || i)::uuid, 'workspace ' || i FROM generate_series(1, 4) i;
INSERT INTO audiostore.storage_quotas
    (workspace_id, max_storage_bytes, max_file_count, max_file_size, current_storage_bytes, current_file_count)
VALUES ('00000000-0000-0000-0000-000000000001', 1000, 10, 500, 400, 5),
       ('00000000-0000-0000-0000-000000000002', NULL, NULL, NULL, 9223372036854775807, 2147483647),
       ('00000000-0000-0000-0000-000000000003', 9223372036854775807, 2147483647, 9223372036854775807,
        9223372036854775807, 2147483646);

-- Short names for what follows.
CREATE FUNCTION fits(workspace int, size bigint) RETURNS boolean LANGUAGE sql AS
    $$ SELECT audiostore.check_storage_quota(('00000000-0000-0000-0000-00000000000' || workspace)::uuid, size) $$;

-- Each limit on its own, to the byte
SELECT fits(1, 500) AS largest_file, fits(1, 501) AS too_large, fits(1, 0) AS empty;
UPDATE audiostore.storage_quotas SET current_storage_bytes = 700 WHERE max_file_count = 10;
SELECT fits(1, 300) AS fills_it, fits(1, 301) AS over;
UPDATE audiostore.storage_quotas SET current_file_count = 9 WHERE max_file_count = 10;
SELECT fits(1, 1) AS last_file;
UPDATE audiostore.storage_quotas SET current_file_count = 10 WHERE max_file_count = 10;
SELECT fits(1, 1) AS one_file_more;

-- NULL does not limit, nor does a missing row; numbers at their ends do not overflow
SELECT fits(2, 9223372036854775807) AS unlimited, fits(4, 9223372036854775807) AS no_quota,
       audiostore.check_storage_quota('99999999-0000-0000-0000-000000000000', 1) AS no_workspace;
SELECT fits(3, 0) AS exactly, fits(3, 1) AS over, fits(3, 9223372036854775807) AS far_over;
UPDATE audiostore.storage_quotas SET current_file_count = 2147483647 WHERE max_file_count = 2147483647;
SELECT fits(3, 0) AS no_more_files;

-- Arguments that make no sense
\set VERBOSITY sqlstate
SELECT audiostore.check_storage_quota(NULL, 1);
SELECT audiostore.check_storage_quota('00000000-0000-0000-0000-000000000001', NULL);
\set VERBOSITY default
SELECT fits(1, -1);
SELECT fits(1, '-9223372036854775808');

-- It reads what the calling statement reads, neither less nor more
BEGIN;
UPDATE audiostore.storage_quotas SET current_file_count = 0 WHERE max_file_count = 10;
SELECT fits(1, 1);
SAVEPOINT s;
UPDATE audiostore.storage_quotas SET current_file_count = 10 WHERE max_file_count = 10;
SELECT fits(1, 1);
ROLLBACK TO s;
SELECT fits(1, 1);
WITH raised AS (
    UPDATE audiostore.storage_quotas SET current_file_count = 10 WHERE max_file_count = 10 RETURNING workspace_id)
SELECT audiostore.check_storage_quota(workspace_id, 1) AS as_before_the_statement FROM raised;
SELECT fits(1, 1);
DECLARE c CURSOR FOR SELECT audiostore.check_storage_quota(w.id, 1) FROM audiostore.workspaces w WHERE name = 'workspace 1';
DELETE FROM audiostore.storage_quotas WHERE max_file_count = 10;
FETCH c;
SELECT fits(1, 1) AS without_a_row;
ROLLBACK;

-- One call after the other within a procedure, with changes, errors and DDL in between
CREATE PROCEDURE changes() LANGUAGE plpgsql AS $$
DECLARE
    workspace uuid := '00000000-0000-0000-0000-000000000001';
    seen text := '';
BEGIN
    FOR i IN 0..3 LOOP
        UPDATE audiostore.storage_quotas SET current_file_count = 8 + i WHERE workspace_id = workspace;
        seen := seen || ' ' || audiostore.check_storage_quota(workspace, 1);
        BEGIN
            seen := seen || ' ' || audiostore.check_storage_quota(workspace, 2);
            PERFORM audiostore.check_storage_quota(workspace, -i);
        EXCEPTION WHEN invalid_parameter_value THEN
            seen := seen || ' ' || audiostore.check_storage_quota(workspace, 3);
        END;
        IF i = 1 THEN COMMIT; END IF;
    END LOOP;
    RAISE NOTICE 'seen:%', seen;
    ALTER TABLE audiostore.storage_quotas ADD COLUMN note text DEFAULT 'x', ALTER COLUMN current_file_count SET DEFAULT 1;
    RAISE NOTICE 'after ALTER TABLE: %', audiostore.check_storage_quota(workspace, 1);
    ALTER TABLE audiostore.storage_quotas DROP COLUMN note, ALTER COLUMN current_file_count SET DEFAULT 0;
    REINDEX TABLE audiostore.storage_quotas;
    RAISE NOTICE 'after REINDEX: %', audiostore.check_storage_quota(workspace, 1);
    TRUNCATE audiostore.storage_quotas;
    RAISE NOTICE 'after TRUNCATE: %', audiostore.check_storage_quota(workspace, 1);
    ROLLBACK;
    RAISE NOTICE 'after ROLLBACK: %', audiostore.check_storage_quota(workspace, 1);
END $$;
CALL changes();

-- Many calls in one statement, one of which fails
SELECT count(*), count(*) FILTER (WHERE fits) FROM (
    SELECT audiostore.check_storage_quota(('00000000-0000-0000-0000-00000000000' || i % 5)::uuid, i) AS fits
    FROM generate_series(1, 5000) i OFFSET 0) s;
SELECT count(audiostore.check_storage_quota(('00000000-0000-0000-0000-00000000000' || i % 5)::uuid, 4000 - i))
FROM generate_series(1, 5000) i;
SELECT fits(1, 1);

-- A table that is no longer what it was
BEGIN;
ALTER TABLE audiostore.storage_quotas DROP CONSTRAINT storage_quotas_pkey;
SELECT fits(1, 1);
ROLLBACK;
BEGIN;
ALTER TABLE audiostore.storage_quotas RENAME TO elsewhere;
SELECT fits(1, 1);
ROLLBACK;
BEGIN;
ALTER TABLE audiostore.storage_quotas ALTER COLUMN current_file_count TYPE bigint;
SELECT fits(1, 1);
ROLLBACK;
SELECT fits(1, 1);

-- Anybody may ask; nobody may read the table for it
CREATE ROLE quota_test_user;
GRANT USAGE ON SCHEMA quota_test TO quota_test_user;
SET ROLE quota_test_user;
SELECT fits(1, 1) AS allowed;
SELECT count(*) FROM audiostore.storage_quotas;
SELECT count(*) FROM audiostore.storage_usage_by_workspace;
INSERT INTO audiostore.workspaces (name) VALUES ('mine');
RESET ROLE;

-- What a quota may say
INSERT INTO audiostore.storage_quotas (workspace_id, max_file_count) VALUES ('00000000-0000-0000-0000-000000000004', -1);
INSERT INTO audiostore.storage_quotas (workspace_id) VALUES ('00000000-0000-0000-0000-000000000009');

-- Usage, workspaces without uploads and without quota included
INSERT INTO audiostore.audio_uploads (workspace_id, original_filename, file_size, status, uploaded_at)
SELECT '00000000-0000-0000-0000-000000000001', i || '.wav', i * 1048576, CASE WHEN i = 4 THEN 'deleted' ELSE 'completed' END,
       '2026-01-01 00:00:00+00'::timestamptz + i * interval '1 day'
FROM generate_series(1, 4) i;
UPDATE audiostore.storage_quotas SET max_storage_bytes = 10485760, current_storage_bytes = 0 WHERE max_file_count = 10;
SELECT * FROM audiostore.storage_usage_by_workspace ORDER BY workspace_name;

DELETE FROM audiostore.audio_uploads WHERE workspace_id = '00000000-0000-0000-0000-000000000001';
DELETE FROM audiostore.workspaces WHERE id::text LIKE '00000000-0000-0000-0000-00000000000_';
SELECT count(*) AS quotas_left FROM audiostore.storage_quotas;
SET client_min_messages = warning;
DROP SCHEMA quota_test CASCADE;
DROP ROLE quota_test_user;
