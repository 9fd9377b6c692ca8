-- Retention: old rows go, or change, and their objects follow.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
SELECT current_setting('data_directory') || '/regress-retention' AS root,
       'cat >/dev/null; mkdir -p "' || current_setting('data_directory') || '/regress-retention"' AS make_root \gset
COPY (SELECT 1) TO PROGRAM :'make_root';
CREATE SERVER rt FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root');
CREATE SCHEMA rt;
SET search_path = rt, public;
CREATE TABLE assets (id integer PRIMARY KEY, path text, size bigint, state text NOT NULL DEFAULT 'final', made timestamptz);
CREATE INDEX ON assets (made);
SELECT audiostore.track('assets', 'path', store => 'rt', size_column => 'size', live_when => $$state <> 'deleted'$$);
INSERT INTO assets SELECT n, 'a/' || n, 100, 'final', now() - n * interval '1 day' FROM generate_series(1, 20) n;
INSERT INTO assets VALUES (21, 'a/21', 100, 'final', NULL);
CREATE TABLE segments (id integer PRIMARY KEY, asset integer REFERENCES assets, state text NOT NULL);
CREATE VIEW rt_status AS SELECT kind, relation, age_column, condition, action, assignments, state, last_result, last_rows,
    last_bytes, last_kept, last_row_error, last_error FROM audiostore.policy_status;
CREATE VIEW rt_queue AS SELECT kind, key FROM audiostore.operations WHERE store = 'rt' ORDER BY key, id;

-- What cannot be.
\set VERBOSITY terse
SELECT audiostore.add_retention_policy('assets', '0', 'made');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.add_retention_policy('assets', '1 day', 'nothing');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.add_retention_policy('assets', '1 day', 'path');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.add_retention_policy('assets', '1 day', 'made', action => 'burn');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.add_retention_policy('assets', '1 day', 'made', action => 'set');
SELECT audiostore.add_retention_policy('assets', '1 day', 'made', assignments => '{"state": "x"}');
SELECT audiostore.add_retention_policy('assets', '1 day', 'made', action => 'set', assignments => '{}');
SELECT audiostore.add_retention_policy('assets', '1 day', 'made', action => 'set', assignments => '{"state": [1]}');
SELECT audiostore.add_retention_policy('assets', '1 day', 'made', action => 'set', assignments => '{"nothing": 1}');
SELECT audiostore.add_retention_policy('assets', '1 day', 'made', action => 'set', assignments => '{"size": "much"}');
SELECT audiostore.add_retention_policy('assets', '1 day', 'made', 'nothing = 1');
SELECT audiostore.add_retention_policy('assets', '1 day', 'made', 'id');
SELECT audiostore.add_retention_policy('assets', '1 day', 'made', 'true) OR (true');
SELECT audiostore.add_retention_policy('assets', '1 day', 'made', 'true FROM segments');
SELECT audiostore.add_retention_policy('assets', '1 day', 'made', 'count(*) > 1');
SELECT audiostore.add_retention_policy('rt_status', '1 day', 'made');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.add_retention_policy('pg_catalog.pg_class', '1 day', 'made');
\set VERBOSITY default

-- Rows go, with their objects; a condition may look elsewhere.
INSERT INTO segments VALUES (1, NULL, 'aired'), (2, NULL, 'ready');
CREATE TABLE kept (asset integer PRIMARY KEY);
INSERT INTO kept VALUES (20);
SELECT audiostore.add_retention_policy('assets', '15 days', 'made',
    $$NOT EXISTS (SELECT FROM kept WHERE asset = assets.id) -- these$$) AS id \gset
SELECT condition FROM rt_status;
SELECT * FROM audiostore.preview_policy(:id);
CALL audiostore.run('policies');
SELECT id FROM assets WHERE id > 12 ORDER BY id;
SELECT * FROM rt_queue;
SELECT state, last_result, last_rows, last_bytes, last_kept, last_error FROM rt_status;
SELECT task = 'policies: retention ' || :id || ' of relation rt.assets' AS task, rows, bytes, error FROM audiostore.runs
WHERE task LIKE 'policies:%' ORDER BY id DESC LIMIT 1;
SELECT * FROM audiostore.preview_policy(:id);
SELECT audiostore.remove_policy(:id);

-- A row that cannot go does not hold up the others, whether the constraint is deferred or not.
INSERT INTO segments VALUES (3, 13, 'ready');
CREATE TABLE later (asset integer REFERENCES assets DEFERRABLE INITIALLY DEFERRED);
INSERT INTO later VALUES (11);
SELECT audiostore.add_retention_policy('assets', '10 days', 'made', 'id < 20') AS id \gset
CALL audiostore.run('policies');
SELECT id FROM assets WHERE id > 8 ORDER BY id;
SELECT last_result, last_rows, last_kept, last_row_error, last_error FROM rt_status;
DELETE FROM segments WHERE id = 3;
TRUNCATE later;
SELECT audiostore.run_policy(:id);
CALL audiostore.run('policies');
SELECT last_result, last_rows, last_kept, last_row_error, last_error FROM rt_status;
SELECT audiostore.remove_policy(:id);

-- Set: once, and values that let go of the object.
SELECT audiostore.add_retention_policy('assets', '8 days', 'made', 'id < 20', 'set', '{"state": "archived", "size": 0}') AS id \gset
CALL audiostore.run('policies');
SELECT id, state, size FROM assets WHERE id > 6 ORDER BY id;
SELECT last_rows FROM rt_status;
SELECT * FROM audiostore.preview_policy(:id);
SELECT audiostore.run_policy(:id);
CALL audiostore.run('policies');
SELECT last_rows FROM rt_status;
SELECT audiostore.remove_policy(:id);
DELETE FROM audiostore.operations WHERE store = 'rt';
SELECT audiostore.add_retention_policy('assets', '8 days', 'made', 'id < 20', 'set', '{"path": null}') AS id \gset
CALL audiostore.run('policies');
SELECT id, path FROM assets WHERE id BETWEEN 7 AND 19 ORDER BY id;
SELECT * FROM rt_queue;
SELECT audiostore.remove_policy(:id);

-- Partitions, an age that is a date, and more rows of one age than fit into a batch.
CREATE TABLE parts (id integer, day date) PARTITION BY LIST (id);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES IN (0);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1) PARTITION BY RANGE (day);
CREATE TABLE parts_1_all PARTITION OF parts_1 DEFAULT;
INSERT INTO parts SELECT n % 2, current_date - 10 FROM generate_series(1, 5000) n;
INSERT INTO parts SELECT n % 2, current_date - 5 FROM generate_series(1, 10) n;
SELECT audiostore.add_retention_policy('parts', '7 days', 'day') AS id \gset
SELECT rows FROM audiostore.preview_policy(:id);
CALL audiostore.run('policies');
SELECT last_rows FROM rt_status;
SELECT count(*) FROM parts;

-- With an index on the age, too; and some of the rows cannot go.
CREATE TABLE aged (id integer PRIMARY KEY, path text, size bigint, made timestamp);
CREATE INDEX ON aged (made);
SELECT audiostore.track('aged', 'path', store => 'rt', size_column => 'size');
INSERT INTO aged SELECT n, 'aged/' || n, 2, now() - interval '20 days' - CASE WHEN n <= 1200 THEN n * interval '1 second' ELSE '0' END
FROM generate_series(1, 2600) n;
INSERT INTO aged SELECT n, 'aged/' || n, 2, now() - interval '10 days' + n * interval '1 second' FROM generate_series(2601, 4000) n;
INSERT INTO aged SELECT n, 'aged/' || n, 2, now() FROM generate_series(4001, 4010) n;
CREATE TABLE holding (aged integer REFERENCES aged);
INSERT INTO holding VALUES (1), (1200), (1201), (1300), (2600), (2601), (4000);
SELECT audiostore.add_retention_policy('aged', '1 day', 'made', 'id <> 17') AS aged \gset
CALL audiostore.run('policies');
SELECT last_rows, last_bytes, last_kept FROM audiostore.policy_status WHERE id = :aged;
SELECT string_agg(id::text, ' ' ORDER BY id) FROM aged;
SELECT count(*) FROM audiostore.operations WHERE store = 'rt' AND key LIKE 'aged/%';
SELECT audiostore.remove_policy(:aged);
DROP TABLE holding, aged;
DELETE FROM audiostore.operations WHERE store = 'rt';

-- A trigger that keeps rows does not keep the policy busy.
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER keep BEFORE DELETE ON parts_0 FOR EACH ROW EXECUTE FUNCTION keep();
INSERT INTO parts SELECT 0, current_date - 10 FROM generate_series(1, 900) n;
SELECT audiostore.run_policy(:id);
CALL audiostore.run('policies');
SELECT last_result, last_rows, last_kept FROM rt_status;
-- Nor does one that refuses everything.
INSERT INTO parts SELECT 0, current_date - 10 FROM generate_series(1, 300) n;
SELECT audiostore.run_policy(:id);
CALL audiostore.run('policies');
SELECT last_result, last_error FROM rt_status;
DROP TABLE parts;
SELECT audiostore.run_policy(:id);
CALL audiostore.run('policies');
SELECT regexp_replace(last_error, '\d+', 'N') FROM rt_status;
SELECT audiostore.remove_policy(:id);

-- The station of docs/radio.md.
SET audiostore.default_store = 'rt';
INSERT INTO audiostore.assets (id, kind, state, storage_path, created_at) SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid,
    CASE n WHEN 4 THEN 'music' ELSE 'speech' END, 'final', 'final/' || n, now() - interval '8 days' FROM generate_series(1, 4) n;
INSERT INTO audiostore.segments (title, state, asset_id, aired_at) VALUES
    ('aired long ago', 'aired', '00000000-0000-0000-0000-000000000001', now() - interval '8 days'),
    ('aired now', 'aired', '00000000-0000-0000-0000-000000000002', now()),
    ('to be played', 'ready', '00000000-0000-0000-0000-000000000003', NULL);
SELECT audiostore.add_retention_policy('audiostore.segments', '7 days', 'aired_at', $$state = 'aired'$$,
    action => 'set', assignments => '{"state": "archived"}') AS segments,
    audiostore.add_retention_policy('audiostore.assets', '7 days', 'created_at',
    $$kind = 'speech' AND NOT EXISTS (SELECT FROM audiostore.segments s
      WHERE s.asset_id = assets.id AND s.state NOT IN ('archived', 'failed'))$$) AS assets \gset
CALL audiostore.run('policies');
SELECT audiostore.run_policy(:assets);
CALL audiostore.run('policies');
SELECT title, state FROM audiostore.segments WHERE title IN ('aired long ago', 'aired now', 'to be played') ORDER BY title;
SELECT storage_path FROM audiostore.assets WHERE store = 'rt' ORDER BY 1;
SELECT * FROM rt_queue WHERE key LIKE 'final/%';
SELECT audiostore.remove_policy(:segments), audiostore.remove_policy(:assets);
DELETE FROM audiostore.segments WHERE title IN ('aired long ago', 'aired now', 'to be played');
DELETE FROM audiostore.assets WHERE store = 'rt';
RESET audiostore.default_store;

-- With the rights of its owner, and nothing of the caller's.
CREATE ROLE rt_owner;
GRANT USAGE, CREATE ON SCHEMA rt TO rt_owner;
CREATE TABLE secrets (id integer);
SET ROLE rt_owner;
CREATE TABLE mine (id integer, made timestamp DEFAULT now() - interval '10 days');
INSERT INTO mine SELECT generate_series(1, 5);
\set VERBOSITY sqlstate
SELECT audiostore.add_retention_policy('assets', '1 day', 'made');
SELECT audiostore.add_retention_policy('mine', '1 day', 'made', 'id IN (SELECT id FROM secrets)');
\set VERBOSITY default
CREATE FUNCTION borrow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO rt.mine VALUES (100) ; PERFORM 1 FROM rt.secrets;
    RETURN OLD;
END
$$;
CREATE TRIGGER borrow BEFORE DELETE ON mine FOR EACH ROW EXECUTE FUNCTION borrow();
SELECT audiostore.add_retention_policy('mine', '1 day', 'made') AS id \gset
RESET ROLE;
CALL audiostore.run('policies');
SELECT last_result, last_rows, last_kept, last_row_error FROM rt_status;
DROP TRIGGER borrow ON mine;
ALTER TABLE mine OWNER TO CURRENT_USER;
SELECT audiostore.run_policy(:id);
CALL audiostore.run('policies');
SELECT last_error FROM rt_status;
SELECT count(*) FROM mine;

SELECT audiostore.remove_policy(:id);
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA rt CASCADE;
DELETE FROM audiostore.operations WHERE store = 'rt';
DROP SERVER rt;
DROP ROLE rt_owner;
