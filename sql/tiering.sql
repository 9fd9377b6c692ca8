-- Tiering: old objects move to another store, or change their class, and their rows follow when they really have.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
SELECT current_setting('data_directory') AS data \gset
SELECT :'data' || '/regress-tier' AS root, :'data' || '/regress-tier-cold' AS cold,
       format('cat >/dev/null; mkdir -p %1$s/regress-tier %1$s/regress-tier-cold', :'data') AS make_roots \gset
COPY (SELECT 1) TO PROGRAM :'make_roots';
CREATE SERVER tier_cold FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'cold');
CREATE SERVER tier_hot FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root', archive_store 'tier_cold');
CREATE SERVER tier_same FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root');
CREATE SCHEMA tier;
SET search_path = tier, public;
CREATE TABLE files (id integer PRIMARY KEY, store text DEFAULT 'tier_hot', path text, size bigint, status text DEFAULT 'done',
    made timestamptz, archived_at timestamptz);
CREATE INDEX ON files (made);
SELECT audiostore.track('files', 'path', store_column => 'store', size_column => 'size', live_when => $$status <> 'deleted'$$);
CREATE TABLE fixed (id integer PRIMARY KEY, path text, class text, made timestamptz);
CREATE VIEW tier_status AS SELECT kind, action, condition, assignments, key_column, storage_class, class_expression, to_store,
    to_prefix, last_result, last_rows, last_bytes, last_kept, last_row_error, last_error FROM audiostore.policy_status;

-- What cannot be.
\set VERBOSITY terse
SELECT audiostore.add_tiering_policy('fixed', '1 day', 'made', to_store => 'tier_cold');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.track('fixed', 'path', store => 'tier_hot');
SELECT audiostore.add_tiering_policy('fixed', '1 day', 'made', to_store => 'tier_cold');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.add_tiering_policy('fixed', '1 day', 'made', storage_class => 'cold', assignments => '{"class": "cold"}');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.add_tiering_policy('files', '1 day', 'made');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.add_tiering_policy('files', '1 day', 'made', 'GLACIER', 'tier_cold');
SELECT audiostore.add_tiering_policy('files', '1 day', 'made', 'GLACIER');
SELECT audiostore.add_tiering_policy('files', '1 day', 'made', to_store => 'nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.add_tiering_policy('files', '1 day', 'made', to_store => 'tier_cold', key_column => 'status');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.add_tiering_policy('files', '1 day', 'made', to_store => 'tier_cold', assignments => '{"nothing": 1}');
SELECT audiostore.add_tiering_policy('files', '1 day', 'made', to_store => 'tier_cold', assignments => '{"path": "x"}');
SELECT audiostore.add_tiering_policy('files', NULL, 'made', to_store => 'tier_cold');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.add_tiering_policy('files', '1 day', 'made', class_expression => 'id, made', assignments => '{"status": "x"}');
CREATE SERVER tier_plain FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root '/nowhere');
CREATE TABLE plain (path text, class text, made timestamptz);
SELECT audiostore.track('plain', 'path', store => 'tier_plain');
SELECT audiostore.add_tiering_policy('plain', '1 day', 'made', 'GLACIER', assignments => '{"class": "GLACIER"}');
\echo :LAST_ERROR_SQLSTATE
DROP TABLE plain;
DROP SERVER tier_plain;
\set VERBOSITY default

-- Old objects move; the rows change when the copies are there, and the old objects go with that.
INSERT INTO files (id, path, size, made) SELECT n, 'a/' || n, 5, now() - n * interval '1 day' FROM generate_series(1, 6) n;
INSERT INTO files (id, path, size, made) VALUES (7, 'a/6', 5, now() - interval '6 days'), (8, NULL, 5, now() - interval '9 days');
SELECT count(audiostore.put_object('tier_hot', path, convert_to('sound' , 'UTF8'))) FROM (SELECT DISTINCT path FROM files WHERE path <> '') f;
CALL audiostore.run('outbox');
SELECT audiostore.add_tiering_policy('files', '3 days', 'made', to_store => 'tier_cold', condition => $$status = 'done'$$,
    assignments => '{"status": "archived", "archived_at": "now"}', to_prefix => 'old/') AS id \gset
SELECT * FROM tier_status;
SELECT rows, bytes FROM audiostore.preview_policy(:id);
CALL audiostore.run('policies');
SELECT last_result, last_rows, last_bytes, last_kept, last_error FROM tier_status;
SELECT kind, store, key, target_store, target, options FROM audiostore.operations ORDER BY key;
SELECT store, key, to_store, to_key, storage_class, bytes, state FROM audiostore.policy_moves ORDER BY key;
SELECT id, store, path, status FROM files ORDER BY id;
-- One of them changes its mind, one goes, one is young again.
UPDATE files SET status = 'wanted' WHERE id = 4;
DELETE FROM files WHERE id = 5;
CALL audiostore.run('outbox');
SELECT id, store, path, status, archived_at > now() - interval '1 minute' AS archived FROM files ORDER BY id;
SELECT count(*) FROM audiostore.moves;
SELECT count(*) FROM audiostore.operation_receipts;
SELECT count(*) FROM audiostore.operations;
SELECT key FROM audiostore.list_objects('tier_hot');
SELECT key, size FROM audiostore.list_objects('tier_cold');
-- Twice is once.
SELECT audiostore.run_policy(:id);
CALL audiostore.run();
SELECT last_result, last_rows, last_kept FROM tier_status;
SELECT id, store, path, status FROM files ORDER BY id;
-- A removed policy lets go of what is under way.
UPDATE files SET status = 'done' WHERE id = 4;
SELECT audiostore.run_policy(:id);
CALL audiostore.run('policies');
SELECT key, state FROM audiostore.policy_moves;
SELECT audiostore.remove_policy(:id);
CALL audiostore.run('outbox');
SELECT id, store, path, status FROM files WHERE id = 4;
SELECT key FROM audiostore.list_objects('tier_cold');
SELECT count(*) FROM audiostore.moves;

-- A place that is the same is refused: the object would be deleted under its other name.
SELECT audiostore.add_tiering_policy('files', '3 days', 'made', to_store => 'tier_same', condition => 'id < 5') AS id \gset
CALL audiostore.run('policies');
SELECT last_result, last_rows, last_kept, last_row_error FROM tier_status;
SELECT count(*) FROM audiostore.moves;
SELECT audiostore.remove_policy(:id);

-- Storage classes: a store that has none moves objects to its archive_store.
SELECT audiostore.add_tiering_policy('files', '3 days', 'made', 'glacier', condition => $$status = 'done'$$,
    assignments => '{"status": "archived"}') AS id \gset
CALL audiostore.run();
SELECT id, store, path, status, archived_at FROM files WHERE id = 4;
SELECT key FROM audiostore.list_objects('tier_cold');
-- Somebody else's object is not written over.
INSERT INTO files (id, path, size, made) VALUES (9, 'b/1', 5, now() - interval '9 days');
INSERT INTO files (id, store, path, size, made) VALUES (10, 'tier_cold', 'b/1', 5, now());
SELECT count(audiostore.put_object(store::name, path, convert_to(store, 'UTF8'))) FROM files WHERE path = 'b/1';
CALL audiostore.run('outbox');
SELECT audiostore.run_policy(:id);
CALL audiostore.run();
SELECT last_rows, last_kept, last_row_error FROM tier_status;
SELECT convert_from(audiostore.get_object('tier_cold', 'b/1'), 'UTF8');
SELECT audiostore.remove_policy(:id);

-- Rows that cannot be changed keep their old object, and the copy waits for them.
DELETE FROM files WHERE id = 10;
CALL audiostore.run('outbox');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'not this one'; END$$;
CREATE TRIGGER refuse BEFORE UPDATE ON files FOR EACH ROW WHEN (NEW.id = 9) EXECUTE FUNCTION refuse();
INSERT INTO files (id, path, size, made) VALUES (11, 'b/2', 5, now() - interval '9 days');
SELECT audiostore.put_object('tier_hot', 'b/2', 'b2') IS NOT NULL AS put;
CALL audiostore.run('outbox');
SELECT audiostore.add_tiering_policy('files', '3 days', 'made', to_store => 'tier_cold', condition => 'id IN (9, 11)', name => 'cold') AS id \gset
SELECT audiostore.add_tiering_policy('files', '3 days', 'made', to_store => 'tier_cold', name => 'cold');
CALL audiostore.run();
SELECT id, store, path FROM files WHERE id IN (9, 11) ORDER BY id;
SELECT key, state, last_error FROM audiostore.policy_moves;
SELECT last_row_error FROM tier_status;
DROP TRIGGER refuse ON files;
UPDATE audiostore.moves SET retry_at = now();
CALL audiostore.run('outbox');
SELECT id, store, path FROM files WHERE id IN (9, 11) ORDER BY id;
SELECT count(*) FROM audiostore.moves;
SELECT audiostore.remove_policy(:id);

-- Without an age, below another prefix of the same store, in a partition.
CREATE TABLE parts (id integer, path text) PARTITION BY LIST (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
SELECT audiostore.track('parts', 'path', store => 'tier_hot');
INSERT INTO parts SELECT 1 + n % 2, 'p/' || n FROM generate_series(1, 4) n;
SELECT count(audiostore.put_object('tier_hot', path, convert_to(path, 'UTF8'))) FROM parts;
CALL audiostore.run('outbox');
SELECT audiostore.add_tiering_policy('parts', NULL, NULL, to_prefix => 'older/') AS id \gset
CALL audiostore.run();
SELECT * FROM parts ORDER BY path;
SELECT key, convert_from(audiostore.get_object('tier_hot', key), 'UTF8') FROM audiostore.list_objects('tier_hot');
-- A dry run only counts.
INSERT INTO parts VALUES (1, 'p/5');
SELECT audiostore.alter_policy(:id, dry_run => true);
\set VERBOSITY sqlstate
SELECT audiostore.alter_policy(:id, after => '1 day');
\set VERBOSITY default
CALL audiostore.run('policies');
SELECT last_result, last_rows FROM tier_status;
SELECT count(*) FROM audiostore.moves;
SELECT audiostore.remove_policy(:id);

-- A cancelled operation ends its move; a dead one waits for a decision.
SELECT audiostore.add_tiering_policy('parts_1', NULL, NULL, to_prefix => 'oldest/', condition => $$path = 'p/5'$$) AS id \gset
CALL audiostore.run('policies');
SELECT audiostore.cancel_operation(operation_id) FROM audiostore.policy_moves;
SELECT key, state FROM audiostore.policy_moves;
CALL audiostore.run('outbox');
SELECT count(*) FROM audiostore.moves;
SELECT audiostore.remove_policy(:id);

-- The preview says when it would cost more than it saves, and what cannot go.
CREATE SERVER tier_s3 FOREIGN DATA WRAPPER audiostore OPTIONS (provider 's3', bucket 'bucket', region 'eu-west-1', storage_class 'STANDARD_IA');
CREATE USER MAPPING FOR PUBLIC SERVER tier_s3 OPTIONS (access_key_id 'k', secret_access_key 'hush-hush');
CREATE TABLE priced (id integer, store text, path text, size bigint, class text, made timestamptz);
CREATE INDEX ON priced (made);
SELECT audiostore.track('priced', 'path', store_column => 'store', size_column => 'size');
INSERT INTO priced SELECT n, CASE WHEN n < 8 THEN 'tier_s3' ELSE 'tier_cold' END, 'c/' || n, CASE WHEN n < 3 THEN 100 ELSE 1e12 END, 'x', now() - n * interval '6 days' - interval '1 hour'
    FROM generate_series(1, 10) n;
SELECT audiostore.add_tiering_policy('priced', '1 day', 'made', 'instant', assignments => '{"class": "instant"}') AS id \gset
SELECT rows, bytes, array_to_string(warnings, E'\n') AS warnings FROM audiostore.preview_policy(:id);
SELECT audiostore.remove_policy(:id);
SELECT audiostore.add_tiering_policy('priced', '1 day', 'made', 'standard', condition => $$store = 'tier_s3' AND id > 5$$, assignments => '{"class": "s"}') AS id \gset
SELECT rows, bytes, array_to_string(warnings, E'\n') AS warnings FROM audiostore.preview_policy(:id);
SELECT audiostore.remove_policy(:id);

SET client_min_messages = warning;
RESET search_path;
DROP SCHEMA tier CASCADE;
DELETE FROM audiostore.operations WHERE store LIKE 'tier%';
DROP SERVER tier_hot, tier_cold, tier_same, tier_s3 CASCADE;
