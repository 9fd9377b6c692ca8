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
DELETE FROM audiostore.chunked_uploads;
DELETE FROM audiostore.operations WHERE store = 'chunked';
DROP SERVER chunked CASCADE;
