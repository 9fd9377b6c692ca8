-- DDL on tracked tables: partitions that come and go, dropped tables and columns, renames, refusals.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
CREATE SERVER ddl_media FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 'local', root '/nonexistent/media', delete_grace '1 day');
CREATE SCHEMA ddl;
SET search_path = ddl;
RESET client_min_messages;

CREATE FUNCTION queued() RETURNS TABLE (key text, reason text) LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM audiostore.operations WHERE operations.store = 'ddl_media' AND kind = 'delete'
                  RETURNING operations.key, operations.reason)
    SELECT gone.key, gone.reason FROM gone ORDER BY 1
$$;
CREATE VIEW tracked AS
    SELECT relation, key_column, store_column, size_column, live_when FROM audiostore.tracked_columns
    WHERE (store = 'ddl_media' OR store_column IS NOT NULL) AND relation::text NOT LIKE 'audiostore.%'
    ORDER BY relation::text, key_column;
CREATE FUNCTION triggers(regclass) RETURNS bigint LANGUAGE sql AS
    $$ SELECT count(*) FROM pg_trigger WHERE tgrelid = $1 AND tgname LIKE 'zz_audiostore_track%' $$;

-- Partitions of several levels
CREATE TABLE p (id int, day int, path text, status text DEFAULT 'ready') PARTITION BY LIST (day);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) PARTITION BY RANGE (id);
CREATE TABLE p2a (status text DEFAULT 'ready', extra int, path text, id int, day int);
ALTER TABLE p2a DROP COLUMN extra;
ALTER TABLE p2 ATTACH PARTITION p2a FOR VALUES FROM (0) TO (100);
SELECT audiostore.track('p', 'path', store => 'ddl_media', live_when => $$status <> 'deleted'$$);
SELECT relid, triggers(relid) FROM pg_partition_tree('p');
SELECT audiostore.track('p1', 'path', store => 'ddl_media');
SELECT audiostore.untrack('p1', 'path');
INSERT INTO p VALUES (1, 1, 'one'), (1, 2, 'two'), (2, 2, 'both'), (3, 1, 'both');
DELETE FROM p1 WHERE path = 'both';
DELETE FROM p2a WHERE path = 'two';
SELECT * FROM queued();
DELETE FROM p2 WHERE path = 'both';
SELECT * FROM queued();
-- A row that moves between partitions keeps its object, unless its key changes on the way
UPDATE p SET day = 2 WHERE path = 'one';
SELECT * FROM queued();
UPDATE p SET day = 1, path = 'uno' WHERE path = 'one';
SELECT * FROM queued();
UPDATE p2a SET status = 'deleted';
INSERT INTO p2a (id, day, path) VALUES (5, 2, 'leaf');
UPDATE p SET status = 'deleted' WHERE path = 'leaf';
SELECT * FROM queued();
UPDATE p SET status = 'ready';
-- New partitions
CREATE TABLE p3 PARTITION OF p FOR VALUES IN (3);
SELECT triggers('p3');
INSERT INTO p3 (id, day, path) VALUES (1, 3, 'three');
DELETE FROM p3;
SELECT key FROM audiostore.operations WHERE store = 'ddl_media';
CREATE TABLE p4 (LIKE p INCLUDING DEFAULTS);
INSERT INTO p4 (id, day, path) VALUES (1, 4, 'three'), (2, 4, 'four');
ALTER TABLE p ATTACH PARTITION p4 FOR VALUES IN (4);
SELECT triggers('p4');
SELECT * FROM queued();
DELETE FROM p4 WHERE path = 'four';
SELECT * FROM queued();
CREATE FOREIGN DATA WRAPPER ddl_foreign;
CREATE SERVER ddl_foreign FOREIGN DATA WRAPPER ddl_foreign;
CREATE FOREIGN TABLE p5 (id int, day int, path text, status text) SERVER ddl_foreign;
ALTER TABLE p ATTACH PARTITION p5 FOR VALUES IN (5);
CREATE FOREIGN TABLE p6 PARTITION OF p FOR VALUES IN (6) SERVER ddl_foreign;
DROP FOREIGN DATA WRAPPER ddl_foreign CASCADE;
-- Truncated and dropped ones; what is left holds what it holds
INSERT INTO p VALUES (1, 1, 'three');
TRUNCATE p4;
SELECT * FROM queued();
INSERT INTO p4 VALUES (1, 4, 'three'), (2, 4, 'four');
DROP TABLE p4;
SELECT * FROM queued();
-- A detached partition is tracked by itself, and comes back
ALTER TABLE p DETACH PARTITION p2;
SELECT * FROM tracked;
SELECT triggers('p2'), triggers('p2a');
DELETE FROM p2a WHERE path = 'leaf';
SELECT * FROM queued();
INSERT INTO p2 VALUES (1, 2, 'two');
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES IN (2);
SELECT * FROM tracked;
DELETE FROM p WHERE path = 'two';
SELECT * FROM queued();
ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;
SELECT * FROM tracked;
SELECT audiostore.untrack('p1', 'path');
SELECT audiostore.track('p1', 'path', store => 'ddl_media');
ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1);
SELECT audiostore.untrack('p1', 'path');
ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1);
SELECT * FROM tracked;
INSERT INTO p VALUES (7, 2, 'seven');
TRUNCATE p;
SELECT * FROM queued();
INSERT INTO p VALUES (1, 1, 'one'), (1, 2, 'one'), (2, 2, 'two');
DROP TABLE p;
SELECT * FROM queued();
SELECT * FROM tracked;

-- Inheritance
CREATE TABLE base (path text);
CREATE TABLE child (more int) INHERITS (base);
SELECT audiostore.track('base', 'path', store => 'ddl_media');
CREATE TABLE younger () INHERITS (child);
SELECT triggers('child'), triggers('younger');
INSERT INTO base VALUES ('a');
INSERT INTO child VALUES ('a', 1), ('b', 2);
INSERT INTO younger VALUES ('b', 1), ('c', 1);
DELETE FROM ONLY base;
DELETE FROM child WHERE path = 'b';
SELECT * FROM queued();
DELETE FROM base WHERE path = 'a';
SELECT * FROM queued();
ALTER TABLE child NO INHERIT base;
SELECT * FROM tracked;
DROP TABLE base;
DELETE FROM younger;
SELECT * FROM queued();
DROP TABLE child CASCADE;
SELECT * FROM tracked;

-- Dropped tables: several at once, keys in TOAST, a schema, by owner, by cascade
CREATE TABLE a (path text);
CREATE TABLE b (path text);
CREATE TABLE c (path text, filler text);
ALTER TABLE c ALTER filler SET STORAGE PLAIN, ALTER path SET STORAGE EXTERNAL;
SELECT count(audiostore.track(t, 'path', store => 'ddl_media')) FROM unnest('{a,b,c}'::regclass[]) t;
INSERT INTO a VALUES ('in a'), ('in both'), ('in a and c');
INSERT INTO b VALUES ('in both');
INSERT INTO c VALUES ('in a and c'), (repeat('k', 1000));
UPDATE c SET path = repeat('k', 1024), filler = repeat('f', 7000) WHERE length(path) = 1000;
SELECT left(key, 10) AS key, length(key), reason FROM queued();
SELECT pg_relation_size(reltoastrelid) > 0 AS toasted FROM pg_class WHERE oid = 'c'::regclass;
DROP TABLE a, b;
SELECT * FROM queued();
BEGIN;
DROP TABLE c;
ROLLBACK;
SELECT * FROM queued();
DROP TABLE c;
SELECT left(key, 10) AS key, length(key), reason FROM queued();
CREATE SCHEMA inner_schema;
CREATE FUNCTION inner_schema.alive(text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 IS NOT NULL';
CREATE TABLE inner_schema.a (path text, status text);
SELECT audiostore.track('inner_schema.a', 'path', store => 'ddl_media', live_when => 'inner_schema.alive(status)');
INSERT INTO inner_schema.a VALUES ('in schema', 'alive'), ('dead', NULL);
DROP FUNCTION inner_schema.alive;
SET client_min_messages = warning;
DROP SCHEMA inner_schema CASCADE;
RESET client_min_messages;
SELECT key FROM queued() WHERE key <> 'dead';
CREATE ROLE ddl_owner;
GRANT USAGE, CREATE ON SCHEMA ddl TO ddl_owner;
GRANT USAGE ON FOREIGN SERVER ddl_media TO ddl_owner;
SET ROLE ddl_owner;
CREATE TABLE owned (path text);
SELECT audiostore.track('owned', 'path', store => 'ddl_media');
INSERT INTO owned VALUES ('owned');
RESET ROLE;
DROP OWNED BY ddl_owner;
SELECT * FROM queued();
CREATE TYPE row_type AS (path text);
CREATE TABLE typed OF row_type;
SELECT audiostore.track('typed', 'path', store => 'ddl_media');
INSERT INTO typed VALUES ('typed');
DROP TYPE row_type CASCADE;
SELECT * FROM queued();
CREATE TABLE silent (path text);
SELECT audiostore.track('silent', 'path', store => 'ddl_media');
INSERT INTO silent VALUES ('silent');
SET session_replication_role = replica;
DROP TABLE silent;
RESET session_replication_role;
SELECT * FROM queued();
SELECT * FROM tracked;

-- Columns
CREATE TABLE r (id int PRIMARY KEY, path text, status text, gone_at timestamptz, place text, bytes int, other text);
SELECT audiostore.track('r', 'path', store_column => 'place', size_column => 'bytes',
                        live_when => $$status <> 'deleted' AND gone_at IS NULL$$);
SELECT audiostore.track('r', 'other', store => 'ddl_media');
INSERT INTO r VALUES (1, 'a', 'ready', NULL, 'ddl_media', 1, 'other'), (2, 'b', 'deleted', NULL, 'ddl_media', 1, 'o2');
ALTER TABLE r RENAME COLUMN path TO key;
ALTER TABLE r RENAME COLUMN place TO store;
ALTER TABLE r RENAME COLUMN bytes TO size;
ALTER TABLE r RENAME COLUMN status TO state;
ALTER TABLE r RENAME TO renamed;
CREATE SCHEMA elsewhere;
ALTER TABLE renamed SET SCHEMA elsewhere;
SELECT * FROM tracked;
UPDATE elsewhere.renamed SET state = 'deleted';
SELECT * FROM queued();
ALTER TABLE elsewhere.renamed SET SCHEMA ddl;
ALTER TABLE renamed DROP COLUMN gone_at;
ALTER TABLE renamed DROP COLUMN store;
ALTER TABLE renamed DROP COLUMN size;
ALTER TABLE renamed ALTER COLUMN key TYPE bytea USING key::bytea;
ALTER TABLE renamed ALTER COLUMN key TYPE text USING upper(key);
ALTER TABLE renamed ALTER COLUMN key TYPE char(30);
ALTER TABLE renamed ALTER COLUMN key TYPE varchar(300);
ALTER TABLE renamed ALTER COLUMN state TYPE int USING 1;
UPDATE renamed SET state = 'ready';
DELETE FROM renamed WHERE id = 1;
SELECT * FROM queued();
ALTER TABLE renamed DROP COLUMN other;
SELECT * FROM queued();
ALTER TABLE renamed ADD COLUMN note text, DROP COLUMN key;
SELECT * FROM queued();
SELECT * FROM tracked;
SELECT triggers('renamed');
INSERT INTO renamed (id) VALUES (9);
DELETE FROM renamed;

-- What tracking needs stays
CREATE TABLE n (path text);
SELECT audiostore.track('n', 'path', store => 'ddl_media');
DROP INDEX n_path_idx;
DROP TRIGGER zz_audiostore_track_delete ON n;
CREATE INDEX another ON n (path);
DROP INDEX n_path_idx;
INSERT INTO n VALUES ('reindexed');
REINDEX TABLE CONCURRENTLY n;
SELECT * FROM queued();
DROP SERVER ddl_media;
ALTER SERVER ddl_media RENAME TO something;
INSERT INTO n VALUES ('kept');
VACUUM FULL n;
CLUSTER n USING another;
ALTER TABLE n ADD COLUMN rewritten float DEFAULT random();
SELECT * FROM queued();
DELETE FROM n;
SELECT * FROM queued();
-- DDL by somebody without any rights here
GRANT CREATE, USAGE ON SCHEMA ddl TO ddl_owner;
SET ROLE ddl_owner;
CREATE TABLE harmless (id int);
ALTER TABLE harmless ADD COLUMN path text;
DROP TABLE harmless;
RESET ROLE;

-- DROP EXTENSION takes the triggers along, needs no CASCADE for them, and queues nothing
BEGIN;
SET LOCAL client_min_messages = warning;
INSERT INTO n VALUES ('last');
SELECT audiostore.untrack('n', 'path');
SELECT audiostore.track('n', 'path', store_column => 'path');
DROP VIEW tracked;
DROP SERVER ddl_media;
DROP EXTENSION audiostore;
SELECT triggers('n');
INSERT INTO n VALUES ('more');
DROP TABLE n;
ROLLBACK;
BEGIN;
SET LOCAL client_min_messages = warning;
DROP EXTENSION audiostore CASCADE;
SELECT triggers('n');
DROP TABLE n;
ROLLBACK;
INSERT INTO n VALUES ('still');
DELETE FROM n;
SELECT * FROM queued();

SET client_min_messages = warning;
DROP SCHEMA ddl, elsewhere CASCADE;
DELETE FROM audiostore.operations WHERE store = 'ddl_media';
DROP SERVER ddl_media CASCADE;
DELETE FROM audiostore.store_claims WHERE store = 'ddl_media';
DROP ROLE ddl_owner;
