-- Statements and claims of many keys at a time, which look for rows by walking along an index instead of key by key.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
SELECT 'cat >/dev/null; root="' || current_setting('data_directory') || '/regress-bulk"; rm -rf "$root"; mkdir -p "$root" && '
       || 'cd "$root" && for i in $(seq 0 1999); do echo x >k$i; done' AS make_root,
       current_setting('data_directory') || '/regress-bulk' AS root \gset
COPY (SELECT 1) TO PROGRAM :'make_root';
CREATE SERVER bulk FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root');
CREATE VIEW bulk_queue AS SELECT key FROM audiostore.operations WHERE store = 'bulk' AND kind = 'delete';
CREATE PROCEDURE bulk_drain() LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        CALL audiostore.run('outbox');
        EXIT WHEN NOT EXISTS (SELECT FROM bulk_queue);
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;

-- One index in byte order, one that is not, and varchar.
CREATE TABLE bulk_rows (id integer PRIMARY KEY, key varchar(1000) COLLATE "C", note text);
CREATE TABLE bulk_others (id integer PRIMARY KEY, key text);
CREATE INDEX bulk_others_backwards ON bulk_others (key DESC);
CREATE FUNCTION bulk_objects(OUT objects bigint, OUT lost bigint, OUT left_behind bigint) LANGUAGE sql AS $$
    WITH listed AS (SELECT key FROM audiostore.list_objects('bulk')),
         held AS (SELECT key FROM bulk_rows UNION SELECT key FROM bulk_others)
    SELECT count(listed.key), count(held.key) FILTER (WHERE listed.key IS NULL),
           count(listed.key) FILTER (WHERE held.key IS NULL)
    FROM listed FULL JOIN held USING (key)
$$;
SELECT audiostore.track('bulk_rows', 'key', store => 'bulk');
SELECT audiostore.track('bulk_others', 'key', store => 'bulk');
INSERT INTO bulk_rows SELECT n, 'k' || n FROM generate_series(0, 1999) n;
INSERT INTO bulk_others SELECT n, 'k' || n FROM generate_series(0, 1999, 10) n;
SELECT * FROM bulk_objects();

-- Some of the keys are held twice in the same table, some by the other table.
INSERT INTO bulk_rows SELECT 10000 + n, 'k' || n FROM generate_series(0, 1999, 7) n;
DELETE FROM bulk_rows WHERE id < 1000;
SELECT count(*), count(*) FILTER (WHERE substr(key, 2)::integer % 7 = 0 OR substr(key, 2)::integer % 10 = 0) AS of_held_keys
FROM bulk_queue;

-- Keys that come back before the claim; rows that moved to another place; rows of a transaction that was rolled back.
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO bulk_rows SELECT n, 'k' || n FROM generate_series(1, 999, 11) n;
COMMIT;
UPDATE bulk_rows SET note = repeat('x', 500);
UPDATE bulk_rows SET id = -id - 1;
BEGIN;
INSERT INTO bulk_others SELECT 5000 + n, 'k' || n FROM generate_series(0, 1999, 3) n;
ROLLBACK;
CALL bulk_drain();
SELECT * FROM bulk_objects();

-- A few keys of a large table: looking for each is faster than walking past the others.
DELETE FROM bulk_rows WHERE key IN (SELECT 'k' || n FROM generate_series(1001, 1999, 20) n);
SELECT count(*) FROM bulk_queue;
CALL bulk_drain();
SELECT * FROM bulk_objects();

-- Keys that are released and taken over by other rows of the same statement.
WITH ring AS (
    SELECT key, coalesce(lead(key) OVER (ORDER BY key), first_value(key) OVER (ORDER BY key)) AS next
    FROM (SELECT DISTINCT key FROM bulk_rows) k)
UPDATE bulk_rows r SET key = ring.next FROM ring WHERE ring.key = r.key;
SELECT count(*) FROM bulk_queue;
CALL bulk_drain();
SELECT lost, left_behind FROM bulk_objects();

-- Keys so long that the index has them compressed.
CREATE TEMP VIEW long_keys AS SELECT n, repeat(repeat('a', 200) || '/', 4) || n AS key FROM generate_series(100, 199) n;
INSERT INTO bulk_rows SELECT 20000 + n, key FROM long_keys;
INSERT INTO bulk_rows SELECT 30000 + n, key FROM long_keys WHERE n % 2 = 0;
DELETE FROM bulk_rows WHERE id BETWEEN 20000 AND 29999;
SELECT count(*), count(*) FILTER (WHERE substr(key, 805)::integer % 2 = 0) AS of_held_keys FROM bulk_queue;
CALL bulk_drain();
DELETE FROM bulk_rows WHERE id > 29999;
CALL bulk_drain();

-- An index of somebody's own on the queue is kept up to date by everything that writes it.
CREATE INDEX bulk_own ON audiostore.operation_rows (reason, id) WHERE kind = 'delete';
CREATE UNIQUE INDEX bulk_own_unique ON audiostore.operation_rows (id, attempts);
DELETE FROM bulk_others;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS off) SELECT count(*) FROM audiostore.operation_rows WHERE reason = 'row deleted' AND kind = 'delete';
SELECT count(*) = (SELECT count(*) FROM bulk_queue) AS complete, count(*) > 30 AS many
FROM audiostore.operation_rows WHERE reason = 'row deleted' AND kind = 'delete';
RESET enable_seqscan;
RESET enable_bitmapscan;
CALL bulk_drain();
DROP INDEX audiostore.bulk_own, audiostore.bulk_own_unique;
DELETE FROM bulk_rows;
CALL bulk_drain();
SELECT * FROM bulk_objects();
SET client_min_messages = warning;
DROP PROCEDURE bulk_drain();
DROP FUNCTION bulk_objects();
DROP VIEW bulk_queue, long_keys;
DROP TABLE bulk_rows, bulk_others;
DROP SERVER bulk;
