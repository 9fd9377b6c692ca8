-- Uploads and their chunks.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
CREATE SERVER chunks_media FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 'local', root '/nonexistent/media', delete_grace '1 day');
CREATE SERVER chunks_cloud FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 's3', bucket 'none', region 'eu-west-1', endpoint 'http://127.0.0.1:9', delete_grace '1 day');
CREATE SCHEMA chunks_test;
SET search_path = chunks_test;
RESET client_min_messages;

-- The columns that the default settings, the store and the caller fill
INSERT INTO audiostore.audio_uploads (original_filename) VALUES ('nothing.wav') RETURNING store, storage_provider, status;
SET audiostore.default_store = 'chunks_media';
SELECT audiostore.default_store();
INSERT INTO audiostore.audio_uploads (original_filename, file_size, storage_path)
VALUES ('a.wav', 1, 'a.wav') RETURNING store, storage_provider, storage_path, status, metadata, retry_count, max_retries;
INSERT INTO audiostore.audio_uploads (original_filename, store) VALUES ('b.wav', 'chunks_cloud'), ('c.wav', 'chunks_media')
RETURNING original_filename, store, storage_provider;
INSERT INTO audiostore.audio_uploads (original_filename, store, storage_provider) VALUES ('d.wav', 'chunks_cloud', 'gcs')
RETURNING original_filename, store, storage_provider;
INSERT INTO audiostore.audio_uploads (original_filename, store) VALUES ('e.wav', NULL)
RETURNING original_filename, store, storage_provider;
UPDATE audiostore.audio_uploads SET store = 'chunks_cloud' WHERE original_filename IN ('a.wav', 'c.wav')
RETURNING original_filename, storage_provider;
UPDATE audiostore.audio_uploads SET store = 'chunks_media', storage_provider = 'mine' WHERE original_filename = 'c.wav'
RETURNING original_filename, storage_provider;
\set VERBOSITY terse
UPDATE audiostore.audio_uploads SET status = 'lost' WHERE original_filename = 'a.wav';
INSERT INTO audiostore.audio_uploads (file_size) VALUES (-1);
INSERT INTO audiostore.audio_uploads (duration) VALUES ('NaN');
\set VERBOSITY default
SELECT audiostore.fill_storage_provider();

-- Uploads of the same content
INSERT INTO audiostore.audio_uploads (id, original_filename, file_size, storage_path, checksum_sha256, uploaded_at, status)
SELECT ('00000000-0000-0000-0001-00000000000' || i)::uuid, name, size, path, sum, '2026-01-01'::timestamptz + i * interval '1 day', status
FROM (VALUES (1, 'one', 1048576, 'one', 'aa', 'completed'), (2, 'two', 1048576, 'two', 'aa', 'completed'),
             (3, 'same', 1048576, 'one', 'aa', 'completed'), (4, 'gone', 1048576, 'four', 'aa', 'deleted'),
             (5, 'five', 100, 'five', 'bb', 'completed'), (6, 'none', 100, NULL, 'bb', 'uploaded'),
             (7, 'seven', 100, 'seven', 'cc', 'completed')) AS u (i, name, size, path, sum, status);
SELECT * FROM audiostore.duplicate_uploads;

DELETE FROM audiostore.audio_uploads;
INSERT INTO audiostore.audio_uploads (id, original_filename)
SELECT ('00000000-0000-0000-0000-00000000000' || to_hex(i))::uuid, i || '.wav' FROM generate_series(0, 15) i;
CREATE FUNCTION upload(i int) RETURNS uuid LANGUAGE sql AS $$ SELECT ('00000000-0000-0000-0000-00000000000' || to_hex(i))::uuid $$;

-- Boundaries
SELECT audiostore.create_audio_chunks(upload(1), 1000.5);
SELECT chunk_index, total_chunks, start_time, end_time, duration, chunk_filename, store, chunk_path, status
FROM audiostore.audio_chunks WHERE upload_id = upload(1) ORDER BY chunk_index;
SELECT audiostore.create_audio_chunks(upload(2), 1, 0.3334999);
SELECT chunk_index, start_time, end_time, duration FROM audiostore.audio_chunks WHERE upload_id = upload(2) ORDER BY 1;
SELECT audiostore.create_audio_chunks(upload(3), 300), audiostore.create_audio_chunks(upload(4), 0.0014, 9999999.9994),
       audiostore.create_audio_chunks(upload(5), 9999999.999, 4999999.9995);
SELECT upload_id, chunk_index, start_time, end_time, duration FROM audiostore.audio_chunks
WHERE upload_id IN (upload(3), upload(4), upload(5)) ORDER BY 1, 2;
SELECT audiostore.create_audio_chunks(upload(6), 1234.567, 0.1);
SELECT count(*), count(DISTINCT id), sum(duration), min(start_time), max(end_time), max(chunk_filename),
       bool_and(total_chunks = 12346 AND end_time - start_time = duration) AS consistent, max(length(chunk_filename))
FROM audiostore.audio_chunks WHERE upload_id = upload(6);
SELECT count(*) AS gaps_or_overlaps FROM audiostore.audio_chunks a JOIN audiostore.audio_chunks b
    ON b.upload_id = a.upload_id AND b.chunk_index = a.chunk_index + 1 WHERE b.start_time <> a.end_time;
SELECT chunk_filename FROM audiostore.audio_chunks WHERE upload_id = upload(6) AND chunk_index IN (0, 99, 999, 1000, 12345) ORDER BY chunk_index;
SELECT count(*) AS bad_ids FROM audiostore.audio_chunks WHERE id::text !~ '^.{14}4.{4}[89ab]';

-- Again is an error, and changes nothing
SELECT audiostore.create_audio_chunks(upload(1), 500, 100);
SELECT count(*), max(end_time) FROM audiostore.audio_chunks WHERE upload_id = upload(1);
SELECT audiostore.create_audio_chunks(upload(7), 10), audiostore.create_audio_chunks(upload(7), 10);
DELETE FROM audiostore.audio_chunks WHERE upload_id = upload(1);
SELECT audiostore.create_audio_chunks(upload(1), 500, 100);
\set VERBOSITY sqlstate
SELECT audiostore.create_audio_chunks(upload(1), 500, 100);
SELECT audiostore.create_audio_chunks('99999999-0000-0000-0000-000000000000', 500);
\set VERBOSITY default
SELECT audiostore.create_audio_chunks('99999999-0000-0000-0000-000000000000', 500);

-- Durations that make no sense
\set VERBOSITY sqlstate
SELECT audiostore.create_audio_chunks(NULL, 1);
SELECT audiostore.create_audio_chunks(upload(8), NULL);
SELECT audiostore.create_audio_chunks(upload(8), 1, NULL);
SELECT audiostore.create_audio_chunks(upload(8), 'NaN');
SELECT audiostore.create_audio_chunks(upload(8), 10000000);
\set VERBOSITY default
SELECT audiostore.create_audio_chunks(upload(8), NULL);
SELECT audiostore.create_audio_chunks(upload(8), 0);
SELECT audiostore.create_audio_chunks(upload(8), -0.001);
SELECT audiostore.create_audio_chunks(upload(8), 0.0009);
SELECT audiostore.create_audio_chunks(upload(8), 'NaN');
SELECT audiostore.create_audio_chunks(upload(8), 'Infinity');
SELECT audiostore.create_audio_chunks(upload(8), '-Infinity');
SELECT audiostore.create_audio_chunks(upload(8), 1, 0);
SELECT audiostore.create_audio_chunks(upload(8), 1, -300);
SELECT audiostore.create_audio_chunks(upload(8), 1, 0.0009999);
SELECT audiostore.create_audio_chunks(upload(8), 1, 'NaN');
SELECT audiostore.create_audio_chunks(upload(8), 1, 'Infinity');
SELECT audiostore.create_audio_chunks(upload(8), 9999999.9995);
SELECT audiostore.create_audio_chunks(upload(8), 1e131000);
SELECT audiostore.create_audio_chunks(upload(8), 1, 1e131000);
SELECT audiostore.create_audio_chunks(upload(8), 9999999.999, 0.001);
SELECT count(*) FROM audiostore.audio_chunks WHERE upload_id = upload(8);

-- Within one statement, transaction and savepoint
WITH new AS (INSERT INTO audiostore.audio_uploads (original_filename, duration) VALUES ('new.wav', 700) RETURNING id, duration)
SELECT audiostore.create_audio_chunks(id, duration) FROM new;
BEGIN;
UPDATE audiostore.audio_uploads SET status = 'processing', store = 'chunks_cloud' WHERE id = upload(9);
SAVEPOINT s;
SELECT audiostore.create_audio_chunks(upload(9), 10);
ROLLBACK TO s;
SELECT audiostore.create_audio_chunks(upload(9), 20, 10);
SELECT count(*), min(store) FROM audiostore.audio_chunks WHERE upload_id = upload(9);
DELETE FROM audiostore.audio_uploads WHERE id = upload(9);
SELECT count(*) FROM audiostore.audio_chunks WHERE upload_id = upload(9);
COMMIT;
BEGIN READ ONLY;
SELECT audiostore.create_audio_chunks(upload(8), 10);
ROLLBACK;

-- The table as users change it: triggers, columns, constraints, row security
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_LEVEL = 'STATEMENT' THEN
        IF TG_WHEN = 'AFTER' THEN
            RAISE NOTICE '% %: % rows', TG_WHEN, TG_NAME, (SELECT count(*) FROM fresh);
        ELSE
            RAISE NOTICE '% %', TG_WHEN, TG_NAME;
        END IF;
        RETURN NULL;
    END IF;
    RAISE NOTICE '% %: chunk %', TG_WHEN, TG_NAME, NEW.chunk_index;
    RETURN NEW;
END $$;
CREATE TRIGGER statement_before BEFORE INSERT ON audiostore.audio_chunks EXECUTE FUNCTION note();
CREATE TRIGGER statement_after AFTER INSERT ON audiostore.audio_chunks REFERENCING NEW TABLE AS fresh EXECUTE FUNCTION note();
CREATE TRIGGER row_after AFTER INSERT ON audiostore.audio_chunks FOR EACH ROW EXECUTE FUNCTION note();
SELECT audiostore.create_audio_chunks(upload(10), 25, 10);
CREATE TRIGGER row_before BEFORE INSERT ON audiostore.audio_chunks FOR EACH ROW EXECUTE FUNCTION note();
SELECT audiostore.create_audio_chunks(upload(11), 12.3456, 10);
SET client_min_messages = warning;
DROP FUNCTION note CASCADE;
RESET client_min_messages;
SELECT chunk_index, total_chunks, start_time, end_time, duration, chunk_filename, store, status
FROM audiostore.audio_chunks WHERE upload_id IN (upload(10), upload(11)) ORDER BY upload_id, chunk_index;
BEGIN;
ALTER TABLE audiostore.audio_chunks ADD COLUMN plain int, ADD COLUMN label text DEFAULT 'x' NOT NULL,
    ADD COLUMN ends timestamptz DEFAULT now(), ADD COLUMN twice numeric GENERATED ALWAYS AS (duration * 2) STORED;
SELECT audiostore.create_audio_chunks(upload(12), 25, 10);
SELECT chunk_index, plain, label, ends = now() AS ends, twice, store FROM audiostore.audio_chunks WHERE upload_id = upload(12) ORDER BY 1;
ROLLBACK;
BEGIN;
ALTER TABLE audiostore.audio_chunks DROP COLUMN processing_job_id, ADD COLUMN plain int;
CREATE INDEX ON audiostore.audio_chunks ((start_time + 1)) WHERE chunk_index > 0;
SELECT audiostore.create_audio_chunks(upload(12), 25, 10);
SELECT chunk_index, plain FROM audiostore.audio_chunks WHERE upload_id = upload(12) AND start_time + 1 > 0 ORDER BY 1;
ROLLBACK;
BEGIN;
ALTER TABLE audiostore.audio_chunks ADD COLUMN required int, ADD CHECK (required IS NOT NULL OR chunk_index < 2) NOT VALID;
\set VERBOSITY terse
SELECT audiostore.create_audio_chunks(upload(12), 25, 10);
\set VERBOSITY default
ROLLBACK;
BEGIN;
ALTER TABLE audiostore.audio_chunks DROP CONSTRAINT audio_chunks_in_order;
SELECT audiostore.create_audio_chunks(upload(12), 25, 10);
SELECT audiostore.create_audio_chunks(upload(12), 25, 10);
ROLLBACK;
SELECT count(*) FROM audiostore.audio_chunks WHERE upload_id = upload(12);

-- Who may
CREATE ROLE chunks_user;
GRANT USAGE ON SCHEMA chunks_test TO chunks_user;
SET ROLE chunks_user;
SELECT audiostore.create_audio_chunks(upload(12), 25, 10);
RESET ROLE;
GRANT INSERT ON audiostore.audio_chunks TO chunks_user;
SET ROLE chunks_user;
SELECT audiostore.create_audio_chunks(upload(12), 25, 10);
RESET ROLE;
BEGIN;
ALTER TABLE audiostore.audio_chunks ENABLE ROW LEVEL SECURITY;
CREATE POLICY short ON audiostore.audio_chunks FOR INSERT TO chunks_user WITH CHECK (end_time <= 20);
SET LOCAL ROLE chunks_user;
SELECT audiostore.create_audio_chunks(upload(13), 20, 10);
\set VERBOSITY terse
SELECT audiostore.create_audio_chunks(upload(14), 25, 10);
\set VERBOSITY default
ROLLBACK;

-- The chunks follow their upload, and their objects too
UPDATE audiostore.audio_chunks SET chunk_path = chunk_filename WHERE upload_id = upload(12);
DELETE FROM audiostore.audio_uploads WHERE id = upload(12);
SELECT store, key FROM audiostore.operations WHERE kind = 'delete' AND key LIKE 'chunk%' ORDER BY key;

SET client_min_messages = warning;
DELETE FROM audiostore.audio_uploads;
DELETE FROM audiostore.operations WHERE store LIKE 'chunks%';
DROP SCHEMA chunks_test CASCADE;
DROP SERVER chunks_media CASCADE;
DROP SERVER chunks_cloud CASCADE;
DROP OWNED BY chunks_user;
DROP ROLE chunks_user;
