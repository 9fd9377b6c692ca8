-- Resumable uploads: chunks in any order and as often as it takes, then one object.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
SELECT current_setting('data_directory') || '/regress-chunked' AS root,
       format('cat >/dev/null; mkdir -p %s/regress-chunked', current_setting('data_directory')) AS make_root \gset
COPY (SELECT 1) TO PROGRAM :'make_root';
CREATE SERVER chunked FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root');
SET audiostore.default_store = 'chunked';
\set VERBOSITY terse
SELECT audiostore.initiate_chunked_upload('a.wav', 0);
SELECT audiostore.initiate_chunked_upload('a.wav', 10, NULL);
SELECT audiostore.initiate_chunked_upload('a.wav', 1000000, 1);
SELECT audiostore.initiate_chunked_upload('Hörbuch 1.wav', 25, 10) AS id \gset
SELECT filename, total_chunks, status, replace(storage_path, :'id', 'ID') AS path FROM audiostore.chunked_uploads;
SELECT * FROM audiostore.upload_chunk('00000000-0000-0000-0000-000000000000', 0, 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM audiostore.upload_chunk(:'id', 3, 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM audiostore.upload_chunk(:'id', -1, 'x');
SELECT * FROM audiostore.upload_chunk(:'id', 2, '0123456789');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM audiostore.upload_chunk(:'id', 0, '01234');
SELECT * FROM audiostore.upload_chunk(:'id', 2, NULL);
\set VERBOSITY default
SELECT * FROM audiostore.upload_chunk(:'id', 2, 'uvwxy');
SELECT * FROM audiostore.upload_chunk(:'id', 0, 'ABCDEFGHIJ');
CALL audiostore.run('outbox');
-- Again, and with other bytes.
SELECT * FROM audiostore.upload_chunk(:'id', 2, 'uvwxy');
SELECT * FROM audiostore.upload_chunk(:'id', 0, 'abcdefghij');
SELECT status FROM audiostore.chunked_uploads;
SELECT count(*) FROM audiostore.operations WHERE store = 'chunked';
CALL audiostore.run('outbox');
SELECT split_part(key, '/', 3) AS chunk, size FROM audiostore.list_objects('chunked');
SELECT * FROM audiostore.upload_chunk(:'id', 1, 'klmnopqrst');
SELECT status FROM audiostore.chunked_uploads;
SELECT * FROM audiostore.upload_chunk(:'id', 1, 'klmnopqrst');
\set VERBOSITY sqlstate
SELECT * FROM audiostore.upload_chunk(:'id', 1, 'KLMNOPQRST');
\set VERBOSITY default
CALL audiostore.run('outbox');
SELECT status, error_message, completed_at IS NOT NULL AS completed FROM audiostore.chunked_uploads;
SELECT replace(key, :'id', 'ID') AS key, convert_from(audiostore.get_object('chunked', key), 'UTF8') FROM audiostore.list_objects('chunked');
SELECT count(*) FROM audiostore.chunked_upload_parts;
SELECT count(*) FROM audiostore.operation_receipts;
SELECT * FROM audiostore.upload_chunk(:'id', 1, 'klmnopqrst');
SELECT audiostore.abort_chunked_upload(:'id');
-- The row of an upload takes the object over; the upload's own row may go.
INSERT INTO audiostore.audio_uploads (original_filename, storage_path, file_size) SELECT filename, storage_path, file_size FROM audiostore.chunked_uploads;
SELECT count(*) FROM audiostore.enable_policy('chunked_uploads');
UPDATE audiostore.chunked_uploads SET expires_at = now() - interval '1 minute';
SELECT audiostore.initiate_chunked_upload('abandoned', 20, 10, expires_in => '-1 minute') AS id \gset
SELECT * FROM audiostore.upload_chunk(:'id', 1, '0123456789');
CALL audiostore.run();
SELECT count(*) FROM audiostore.chunked_uploads;
SELECT count(*) FROM audiostore.list_objects('chunked');
SELECT audiostore.disable_policy('chunked_uploads');
DELETE FROM audiostore.audio_uploads WHERE store = 'chunked';
-- Aborted.
SELECT audiostore.initiate_chunked_upload('aborted', 20, 10, storage_path => 'x') AS id \gset
SELECT * FROM audiostore.upload_chunk(:'id', 1, '0123456789');
SELECT audiostore.abort_chunked_upload(:'id');
SELECT audiostore.abort_chunked_upload(:'id');
CALL audiostore.run('outbox');
SELECT count(*) FROM audiostore.list_objects('chunked');
-- A part that is not what it was: the object is not made.
SELECT audiostore.initiate_chunked_upload('damaged', 20, 10, storage_path => 'y') AS id \gset
SELECT * FROM audiostore.upload_chunk(:'id', 0, '0123456789');
SELECT part_path FROM audiostore.chunked_upload_parts \gset
SELECT * FROM audiostore.upload_chunk(:'id', 1, '0123456789');
SELECT audiostore.put_object('chunked', :'part_path', 'short') IS NOT NULL AS put;
CALL audiostore.run('outbox');
SELECT kind, state, last_error FROM audiostore.operations WHERE store = 'chunked';
SELECT status, error_message FROM audiostore.chunked_uploads WHERE storage_path = 'y';
SELECT audiostore.put_object('chunked', :'part_path', '0123456789') IS NOT NULL AS put;
CALL audiostore.run('outbox');
SELECT count(audiostore.retry_operation(id)) FROM audiostore.operations WHERE store = 'chunked';
CALL audiostore.run('outbox');
SELECT status, error_message FROM audiostore.chunked_uploads WHERE storage_path = 'y';
SELECT convert_from(audiostore.get_object('chunked', 'y'), 'UTF8');
-- Parts come in their order, whatever the order in which they were sent, and none is left out.
SELECT audiostore.initiate_chunked_upload('many', 250, 10, storage_path => 'z') AS id \gset
SELECT count(audiostore.upload_chunk(:'id', i, convert_to(format('chunk %s.', lpad(i::text, 3, '0')), 'UTF8')))
FROM (SELECT i FROM generate_series(0, 24) i ORDER BY md5(i::text) OFFSET 0) shuffled;
CALL audiostore.run('outbox');
SELECT status, convert_from(audiostore.get_object('chunked', 'z'), 'UTF8')
    = (SELECT string_agg(format('chunk %s.', lpad(i::text, 3, '0')), '' ORDER BY i) FROM generate_series(0, 24) i) AS whole
FROM audiostore.chunked_uploads WHERE storage_path = 'z';
-- A part that is gone: the object is not made.
SELECT audiostore.initiate_chunked_upload('torn', 20, 10, storage_path => 'torn') AS id \gset
SELECT count(audiostore.upload_chunk(:'id', i, '0123456789')) FROM generate_series(0, 1) i;
SELECT split_part(key, '/', 3) AS part FROM audiostore.operations WHERE store = 'chunked' ORDER BY 1;
DELETE FROM audiostore.operations WHERE store = 'chunked' AND key LIKE 'chunks/%/0/%';
CALL audiostore.run('outbox');
SELECT kind, state, replace(last_error, :'id', 'ID') AS last_error FROM audiostore.operations WHERE store = 'chunked';
SELECT status FROM audiostore.chunked_uploads WHERE storage_path = 'torn';
SELECT count(*) FROM audiostore.list_objects('chunked', 'torn');
SELECT count(audiostore.cancel_operation(id)) FROM audiostore.operations WHERE store = 'chunked';
CALL audiostore.run('outbox');
SELECT status, error_message FROM audiostore.chunked_uploads WHERE storage_path = 'torn';
DELETE FROM audiostore.chunked_uploads;
-- A part that is not in the store yet is waited for, by the assembly and not by its attempts.
SELECT audiostore.initiate_chunked_upload('late', 20, 10, storage_path => 'late') AS id \gset
SELECT count(audiostore.upload_chunk(:'id', i, '0123456789')) FROM generate_series(0, 1) i;
UPDATE audiostore.operation_rows SET not_before = now() + interval '1 hour' WHERE store = 'chunked' AND key LIKE 'chunks/%/1/%';
CALL audiostore.run('outbox');
SELECT status, operation_id IS NULL AS waits FROM audiostore.chunked_uploads WHERE id = :'id';
UPDATE audiostore.operation_rows SET not_before = now() WHERE store = 'chunked';
CALL audiostore.run('outbox');
SELECT status FROM audiostore.chunked_uploads WHERE id = :'id';
DELETE FROM audiostore.chunked_uploads;
CALL audiostore.run('outbox');
-- Reservations of a quota: to the byte, and until the upload ends.
INSERT INTO audiostore.workspaces (id, name) VALUES ('00000000-0000-0000-0000-0000000000d1', 'tenant');
INSERT INTO audiostore.storage_quotas (workspace_id, max_storage_bytes, max_file_count, max_file_size, current_storage_bytes)
VALUES ('00000000-0000-0000-0000-0000000000d1', 100, 4, 60, 40);
CREATE VIEW reserved AS SELECT current_storage_bytes AS used, reserved_bytes AS bytes, reserved_files AS files,
    audiostore.check_storage_quota(workspace_id, 20) AS fits_20, audiostore.check_storage_quota(workspace_id, 21) AS fits_21
    FROM audiostore.storage_quotas WHERE workspace_id = '00000000-0000-0000-0000-0000000000d1';
CREATE FUNCTION begin_upload(size bigint, expires_in interval DEFAULT '1 day') RETURNS uuid LANGUAGE sql AS
    $$ SELECT audiostore.initiate_chunked_upload('q', size, 10, storage_path => 'q/' || size, workspace_id => '00000000-0000-0000-0000-0000000000d1', expires_in => expires_in) $$;
SELECT begin_upload(40) AS id \gset
TABLE reserved;
SELECT begin_upload(21);
\echo :LAST_ERROR_SQLSTATE
TABLE reserved;
SELECT remaining_bytes, reserved_bytes FROM audiostore.storage_usage_by_workspace WHERE workspace_name = 'tenant';
BEGIN;
SELECT begin_upload(20) IS NOT NULL AS begun;
TABLE reserved;
SAVEPOINT s;
SELECT begin_upload(1);
ROLLBACK TO s;
TABLE reserved;
ROLLBACK;
TABLE reserved;
-- Too large by itself; too many
SELECT begin_upload(61);
BEGIN;
SELECT count(begin_upload(1)) FROM generate_series(1, 3);
SELECT begin_upload(1);
ROLLBACK;
-- Chunks change nothing, completion ends it: who counts with the last chunk is never below the truth
SELECT count(audiostore.upload_chunk(:'id', i, '0123456789')) FROM generate_series(0, 3) i;
UPDATE audiostore.storage_quotas SET current_storage_bytes = 80, reserved_bytes = 0 WHERE current_storage_bytes = 40;
TABLE reserved;
CALL audiostore.run('outbox');
SELECT status FROM audiostore.chunked_uploads WHERE id = :'id';
TABLE reserved;
-- Aborted, deleted, moved to another workspace, not complete in time
SELECT begin_upload(10) AS id \gset
SELECT begin_upload(5) IS NOT NULL AS begun;
TABLE reserved;
SELECT audiostore.abort_chunked_upload(:'id');
TABLE reserved;
DELETE FROM audiostore.chunked_uploads WHERE file_size = 5;
TABLE reserved;
SELECT begin_upload(20) AS id \gset
UPDATE audiostore.chunked_uploads SET workspace_id = NULL WHERE id = :'id';
TABLE reserved;
UPDATE audiostore.chunked_uploads SET workspace_id = '00000000-0000-0000-0000-0000000000d1' WHERE id = :'id';
TABLE reserved;
UPDATE audiostore.chunked_uploads SET expires_at = now() WHERE id = :'id';
TABLE reserved;
CALL audiostore.run('outbox');
TABLE reserved;
SELECT status, error_message FROM audiostore.chunked_uploads WHERE id = :'id';
\set VERBOSITY sqlstate
SELECT * FROM audiostore.upload_chunk(:'id', 0, '0123456789');
\set VERBOSITY default
-- Without a worker, those that are late make room for the next one.
SELECT begin_upload(20) AS id \gset
UPDATE audiostore.chunked_uploads SET expires_at = now() WHERE id = :'id';
SELECT begin_upload(20) IS NOT NULL AS begun;
SELECT status, count(*) FROM audiostore.chunked_uploads WHERE file_size = 20 GROUP BY 1 ORDER BY 1;
TABLE reserved;
-- A quota that comes later counts what is under way; figures are not to be written
BEGIN;
DELETE FROM audiostore.storage_quotas WHERE workspace_id = '00000000-0000-0000-0000-0000000000d1';
SELECT begin_upload(1000) IS NOT NULL AS unlimited;
INSERT INTO audiostore.storage_quotas (workspace_id, max_storage_bytes, reserved_bytes) VALUES ('00000000-0000-0000-0000-0000000000d1', 1100, 7);
TABLE reserved;
TRUNCATE audiostore.chunked_uploads CASCADE;
TABLE reserved;
ROLLBACK;
-- Who may upload needs no right on quotas
CREATE ROLE chunked_user;
GRANT SELECT, INSERT, UPDATE ON audiostore.chunked_uploads TO chunked_user;
DELETE FROM audiostore.chunked_uploads;
SET ROLE chunked_user;
SELECT begin_upload(15) IS NOT NULL AS begun;
SELECT begin_upload(6);
SELECT count(*) FROM audiostore.storage_quotas;
RESET ROLE;
TABLE reserved;
REVOKE ALL ON audiostore.chunked_uploads FROM chunked_user;
DROP ROLE chunked_user;
DROP FUNCTION begin_upload(bigint, interval);
DROP VIEW reserved;
DELETE FROM audiostore.chunked_uploads;
SELECT reserved_bytes, reserved_files FROM audiostore.storage_quotas;
DELETE FROM audiostore.workspaces WHERE name = 'tenant';
DELETE FROM audiostore.operations WHERE store = 'chunked';
DROP SERVER chunked CASCADE;
