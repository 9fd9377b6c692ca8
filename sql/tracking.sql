-- Rows lead, the queue follows: what statements on tracked tables queue and take back.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
CREATE SERVER tracking_media FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 'local', root '/nonexistent/media', delete_grace '1 day');
CREATE SERVER tracking_other FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 'local', root '/nonexistent/other', delete_grace '1 day');
CREATE SCHEMA tracking;
SET search_path = tracking;
RESET client_min_messages;

-- Shows what is queued, and forgets it.
CREATE FUNCTION queued() RETURNS TABLE (store text, key text, reason text) LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM audiostore.operations WHERE operations.store LIKE 'tracking%' AND kind = 'delete'
                  RETURNING operations.store, operations.key, operations.reason)
    SELECT replace(gone.store, 'tracking_', ''), gone.key, gone.reason FROM gone ORDER BY 1, 2
$$;

-- What track() asks for
CREATE TABLE t (id int PRIMARY KEY, path text, status text DEFAULT 'ready', place text, place_name name,
                bytes bigint, padded char(10), at timestamptz DEFAULT now());
SELECT audiostore.track('t', 'path');
SELECT audiostore.track('t', 'path', store => 'tracking_media', store_column => 'place');
SELECT audiostore.track('t', 'path', store => 'tracking_nowhere');
SELECT audiostore.track('t', 'nothing', store => 'tracking_media');
SELECT audiostore.track('t', 'id', store => 'tracking_media');
SELECT audiostore.track('t', 'padded', store => 'tracking_media');
SELECT audiostore.track('t', 'path', store_column => 'id');
SELECT audiostore.track('t', 'path', store => 'tracking_media', size_column => 'status');
SELECT audiostore.track(NULL, 'path', store => 'tracking_media');
SELECT audiostore.track('t', 'path', store => 'tracking_media', live_when => NULL);
SELECT audiostore.track('pg_class', 'relname', store => 'tracking_media');
CREATE VIEW v AS SELECT * FROM t;
SELECT audiostore.track('v', 'path', store => 'tracking_media');
CREATE TEMP TABLE temporary (path text);
SELECT audiostore.track('temporary', 'path', store => 'tracking_media');
DROP TABLE pg_temp.temporary;
SELECT audiostore.track('t', 'path', store => 'tracking_media', live_when => 'status <>');
SELECT audiostore.track('t', 'path', store => 'tracking_media', live_when => 'stattus = 1');
SELECT audiostore.track('t', 'path', store => 'tracking_media', live_when => 'status');
SELECT audiostore.track('t', 'path', store => 'tracking_media', live_when => 'true FROM t');
SELECT audiostore.track('t', 'path', store => 'tracking_media', live_when => 'id IN (SELECT 1)');
SELECT audiostore.track('t', 'path', store => 'tracking_media', live_when => 'count(*) > 0');
SELECT audiostore.track('t', 'path', store => 'tracking_media', live_when => 'rank() OVER () > 0');
SELECT audiostore.track('t', 'path', store => 'tracking_media', live_when => 'generate_series(1, 2) > 0');
SELECT audiostore.track('t', 'path', store => 'tracking_media', live_when => 'at > now()');
SELECT audiostore.track('t', 'path', store => 'tracking_media', live_when => 't IS NOT NULL');
SELECT audiostore.track('t', 'path', store => 'tracking_media', live_when => 'ctid IS NOT NULL');
SELECT audiostore.untrack('t', 'path');
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 't'::regclass;

SELECT audiostore.track('t', 'path', store => 'tracking_media', size_column => 'bytes',
                        live_when => $$status <> 'deleted'$$);
SELECT audiostore.track('t', 'path', store => 'tracking_media');
SELECT relation, key_column, store, store_column, size_column, live_when FROM audiostore.tracked_columns
    WHERE relation = 't'::regclass;
SELECT indexdef FROM pg_indexes WHERE tablename = 't' ORDER BY 1;

-- Insert, delete, update
INSERT INTO t (id, path) VALUES (1, 'a'), (2, 'b'), (3, 'b'), (4, NULL), (5, ''), (6, 'c');
SELECT * FROM queued();
DELETE FROM t WHERE id IN (1, 2, 4, 5);
SELECT * FROM queued();
DELETE FROM t WHERE id = 3;
SELECT * FROM queued();
UPDATE t SET path = 'd' WHERE path = 'c';
SELECT * FROM queued();
UPDATE t SET status = 'deleted';
SELECT * FROM queued();
UPDATE t SET path = 'e';
DELETE FROM t;
SELECT * FROM queued();
INSERT INTO t (id, path, status) VALUES (1, 'x', 'deleted'), (2, 'y', NULL);
UPDATE t SET status = 'ready' WHERE id = 1;
UPDATE t SET status = NULL;
SELECT * FROM queued();
DELETE FROM t;

-- A row takes a pending delete back
INSERT INTO t (id, path) VALUES (1, 'a'), (2, 'b');
DELETE FROM t;
INSERT INTO t (id, path) VALUES (3, 'a');
SELECT * FROM queued();
DELETE FROM t;
INSERT INTO t (id, path, status) VALUES (3, 'a', 'deleted');
SELECT key FROM audiostore.operations WHERE store = 'tracking_media';
UPDATE t SET status = 'ready';
SELECT * FROM queued();
TRUNCATE t;
SELECT * FROM queued();

-- Sets count, not rows: keys that change places stay
INSERT INTO t (id, path) VALUES (1, 'a'), (2, 'b'), (3, 'c');
UPDATE t SET path = CASE path WHEN 'a' THEN 'b' WHEN 'b' THEN 'c' ELSE 'a' END;
SELECT * FROM queued();
WITH moved AS (DELETE FROM t WHERE id = 1 RETURNING path) INSERT INTO t (id, path) SELECT 10, path FROM moved;
SELECT * FROM queued();
INSERT INTO t (id, path) VALUES (2, 'z') ON CONFLICT (id) DO UPDATE SET path = excluded.path;
SELECT * FROM queued();
INSERT INTO t (id, path) VALUES (2, 'y') ON CONFLICT DO NOTHING;
SELECT * FROM queued();
-- MERGE where there is one
DO $$
BEGIN
    IF current_setting('server_version_num')::int >= 150000 THEN
        EXECUTE 'MERGE INTO t USING (VALUES (2, ''m''), (3, ''gone''), (4, ''new'')) AS s (id, path) ON t.id = s.id
                 WHEN MATCHED AND s.path = ''gone'' THEN DELETE
                 WHEN MATCHED THEN UPDATE SET path = s.path
                 WHEN NOT MATCHED THEN INSERT (id, path) VALUES (s.id, s.path)';
    ELSE
        UPDATE t SET path = 'm' WHERE id = 2;
        DELETE FROM t WHERE id = 3;
        INSERT INTO t (id, path) VALUES (4, 'new');
        UPDATE audiostore.operations SET reason = 'row deleted' WHERE key = 'a';
    END IF;
END $$;
SELECT id, path FROM t ORDER BY id;
SELECT * FROM queued();
COPY t (id, path) FROM stdin;
20	copied
21	\N
\.
DELETE FROM t WHERE id IN (20, 21);
COPY t (id, path) FROM stdin;
20	copied
\.
SELECT * FROM queued();
-- A trigger of the application that changes the row has its way, whatever columns the UPDATE names
CREATE FUNCTION change_path() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.path := 'by trigger'; RETURN NEW; END $$;
CREATE TRIGGER change BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION change_path();
UPDATE t SET bytes = 1 WHERE id = 20;
SELECT * FROM queued();
DROP TRIGGER change ON t;
UPDATE t SET bytes = 2;
TRUNCATE t;
SELECT * FROM queued();

-- Rollback, savepoints, two-phase commit, replica
INSERT INTO t (id, path) VALUES (1, 'a'), (2, 'b');
BEGIN;
DELETE FROM t;
SELECT key FROM audiostore.operations WHERE store = 'tracking_media' ORDER BY 1;
ROLLBACK;
SELECT * FROM queued();
BEGIN;
DELETE FROM t WHERE id = 1;
SAVEPOINT s;
DELETE FROM t WHERE id = 2;
INSERT INTO t (id, path) VALUES (3, 'a');
ROLLBACK TO s;
COMMIT;
SELECT * FROM queued();
BEGIN;
SAVEPOINT s;
INSERT INTO t (id, path) VALUES (4, 'b');
DELETE FROM t WHERE id = 2;
RELEASE s;
COMMIT;
SELECT * FROM queued();
BEGIN;
DELETE FROM t;
PREPARE TRANSACTION 'tracking';
SELECT * FROM queued();
COMMIT PREPARED 'tracking';
SELECT * FROM queued();
BEGIN;
INSERT INTO t (id, path) VALUES (5, 'five');
DELETE FROM t;
PREPARE TRANSACTION 'tracking';
ROLLBACK PREPARED 'tracking';
SELECT * FROM queued();
INSERT INTO t (id, path) VALUES (1, 'a');
SET session_replication_role = replica;
DELETE FROM t;
RESET session_replication_role;
SELECT * FROM queued();

-- Cascades
CREATE TABLE parent (id int PRIMARY KEY);
ALTER TABLE t ADD parent int REFERENCES parent ON DELETE CASCADE;
ALTER TABLE t ADD second int REFERENCES parent ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;
INSERT INTO parent VALUES (1), (2);
INSERT INTO t (id, path, parent) VALUES (1, 'a', 1), (2, 'b', 2), (3, 'b', 1), (4, 'c', 1);
DELETE FROM parent WHERE id = 1;
SELECT * FROM queued();
TRUNCATE parent CASCADE;
SELECT * FROM queued();

-- Two columns of one table, two tables, one store; and a column whose rows name the store
ALTER TABLE t ADD preview varchar(40);
SELECT audiostore.track('t', 'preview', store => 'tracking_media');
CREATE TABLE u (path text, place name);
SELECT audiostore.track('u', 'path', store_column => 'place');
INSERT INTO t (id, path, preview) VALUES (1, 'a', 'b'), (2, 'b', 'c');
INSERT INTO u VALUES ('c', 'tracking_media'), ('c', 'tracking_other'), ('d', NULL);
UPDATE t SET path = preview, preview = path;
SELECT * FROM queued();
DELETE FROM t;
SELECT * FROM queued();
UPDATE u SET place = 'tracking_other' WHERE place = 'tracking_media';
SELECT * FROM queued();
INSERT INTO u VALUES ('c', 'tracking_nowhere');
SET session_replication_role = replica;
INSERT INTO u VALUES ('lost', 'tracking_nowhere');
RESET session_replication_role;
DELETE FROM u;
SELECT * FROM queued();
TRUNCATE t, u;

-- Keys are octets: collations do not make two of them one, and long ones work
CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE w (path text COLLATE caseless, pattern text);
SELECT audiostore.track('w', 'path', store => 'tracking_media');
INSERT INTO w VALUES ('Intro.WAV'), ('intro.wav'), (repeat('long/', 200));
DELETE FROM w WHERE path COLLATE "C" = 'intro.wav';
SELECT * FROM queued();
DELETE FROM w;
SELECT key = repeat('long/', 200) AS long, left(key, 10), reason FROM queued();
-- An index of the right shape is used as it is
CREATE INDEX ON w USING hash (pattern);
SELECT audiostore.track('w', 'pattern', store => 'tracking_media');
SELECT count(*) FROM pg_indexes WHERE tablename = 'w';
INSERT INTO w (pattern) VALUES ('h'), ('h'), ('i');
DELETE FROM w WHERE ctid = (SELECT min(ctid) FROM w WHERE pattern = 'h');
DELETE FROM w WHERE pattern = 'i';
SELECT * FROM queued();

-- Privileges: rows can be written without any on the extension's tables
CREATE ROLE tracking_owner;
CREATE ROLE tracking_writer;
GRANT USAGE, CREATE ON SCHEMA tracking TO tracking_owner, tracking_writer;
GRANT INSERT, DELETE, UPDATE, SELECT, TRUNCATE ON t TO tracking_writer;
SET ROLE tracking_writer;
INSERT INTO t (id, path) VALUES (1, 'a'), (2, 'b');
UPDATE t SET path = 'c' WHERE id = 2;
DELETE FROM t WHERE id = 1;
TRUNCATE t;
SELECT audiostore.track('t', 'status', store => 'tracking_media');
SELECT audiostore.untrack('t', 'path');
CREATE TABLE mine (path text, place text, id int);
SELECT audiostore.track('mine', 'path', store => 'tracking_media');
-- ... but not in stores that the table's owner may not use
SELECT audiostore.track('mine', 'path', store_column => 'place');
INSERT INTO mine VALUES ('victim', 'tracking_media');
RESET ROLE;
SELECT * FROM queued();
GRANT USAGE ON FOREIGN SERVER tracking_media TO tracking_writer;
INSERT INTO mine VALUES ('own', 'tracking_media');
REVOKE USAGE ON FOREIGN SERVER tracking_media FROM tracking_writer;
DELETE FROM mine;
SELECT * FROM queued();

-- live_when means the same in every session, and runs with the rights of the table's owner
CREATE FUNCTION who(text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN RETURN current_user = 'tracking_writer' AND $1 <> 'dead'; END $$;
SET ROLE tracking_writer;
CREATE TABLE guarded (path text, status text);
SELECT audiostore.track('guarded', 'path', store_column => 'status', live_when => 'who(path)');
SELECT live_when FROM audiostore.tracked_columns WHERE relation = 'guarded'::regclass;
RESET ROLE;
SELECT audiostore.untrack('guarded', 'path');
GRANT USAGE ON FOREIGN SERVER tracking_media TO tracking_writer;
SELECT audiostore.track('guarded', 'path', store => 'tracking_media', live_when => 'who(path)');
SET search_path = pg_catalog;
INSERT INTO tracking.guarded VALUES ('one'), ('dead'), ('one');
DELETE FROM tracking.guarded WHERE path = 'dead';
DELETE FROM tracking.guarded WHERE ctid = (SELECT min(ctid) FROM tracking.guarded);
SELECT * FROM tracking.queued();
DELETE FROM tracking.guarded;
SET search_path = tracking;
SELECT * FROM queued();

-- A table with rows becomes tracked: what they hold is not deleted any more
CREATE TABLE late (path text);
INSERT INTO t (id, path) VALUES (1, 'shared'), (2, 'not shared');
DELETE FROM t;
INSERT INTO late VALUES ('shared');
SELECT audiostore.track('late', 'path', store => 'tracking_media');
SELECT * FROM queued();
DELETE FROM late;
SELECT * FROM queued();

-- The last row counts wherever it is; untracked rows do not
INSERT INTO t (id, path) VALUES (1, 'k');
INSERT INTO late VALUES ('k');
DELETE FROM t;
SELECT * FROM queued();
INSERT INTO t (id, path) VALUES (1, 'k');
SELECT audiostore.untrack('late', 'path');
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'late'::regclass;
DELETE FROM t;
SELECT * FROM queued();

-- An unlogged table can be tracked, with a warning
CREATE UNLOGGED TABLE scratch (path text);
SELECT audiostore.track('scratch', 'path', store => 'tracking_media');

SET client_min_messages = warning;
DROP SCHEMA tracking CASCADE;
DELETE FROM audiostore.operations WHERE store LIKE 'tracking%';
DROP SERVER tracking_media, tracking_other CASCADE;
DELETE FROM audiostore.store_claims WHERE store LIKE 'tracking%';
DROP ROLE tracking_owner, tracking_writer;
