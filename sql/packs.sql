-- Deletes of large statements are queued in packs, hundreds of keys in one row. Nothing of that shows.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
SELECT 'cat >/dev/null; root="' || current_setting('data_directory') || '/regress-packs"; rm -rf "$root"; mkdir -p "$root/a" && '
       || 'cd "$root/a" && for i in $(seq 1000 3999); do echo x >k$i; done' AS make_root,
       current_setting('data_directory') || '/regress-packs' AS root \gset
COPY (SELECT 1) TO PROGRAM :'make_root';
CREATE SERVER pk FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root');
CREATE SERVER pk_held FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root', prefix 'held/', delete_grace '1 hour');
CREATE TABLE pk_rows (id integer PRIMARY KEY, key text);
CREATE TABLE pk_held_rows (id integer PRIMARY KEY, key text);
SELECT audiostore.track('pk_rows', 'key', store => 'pk'), audiostore.track('pk_held_rows', 'key', store => 'pk_held');
CREATE VIEW pk_queue AS SELECT * FROM audiostore.operations WHERE store LIKE 'pk%';
CREATE VIEW pk_stored AS
    SELECT (SELECT coalesce(sum(key_count), 0) FROM audiostore.operation_packs WHERE store LIKE 'pk%') AS packed,
           (SELECT count(*) FROM audiostore.operation_rows WHERE store LIKE 'pk%') AS rows,
           (SELECT count(*) FROM audiostore.operation_holes h WHERE NOT EXISTS (SELECT FROM audiostore.operation_packs p
               WHERE p.store NOT LIKE 'pk%' AND h.id BETWEEN p.id AND p.id + p.key_count - 1)) AS holes;
CREATE PROCEDURE pk_drain(of text) LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        CALL audiostore.run('outbox');
        EXIT WHEN NOT EXISTS (SELECT FROM audiostore.operations WHERE store = of);
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
CREATE FUNCTION pk_objects(OUT objects bigint, OUT lost bigint, OUT left_behind bigint) LANGUAGE sql AS $$
    SELECT count(o.key), count(r.key) FILTER (WHERE o.key IS NULL), count(o.key) FILTER (WHERE r.key IS NULL)
    FROM audiostore.list_objects('pk', 'a/') o FULL JOIN (SELECT DISTINCT key FROM pk_rows) r USING (key)
$$;
INSERT INTO pk_rows SELECT n, 'a/k' || n FROM generate_series(1000, 3999) n;
INSERT INTO pk_held_rows SELECT n, 'k' || n FROM generate_series(1000, 3999) n;
SELECT * FROM pk_objects();

-- Every key is there, with an id of its own, in the order of the keys; rolled back, nothing is.
BEGIN;
DELETE FROM pk_held_rows;
SELECT count(*) FROM pk_queue;
ROLLBACK;
SELECT * FROM pk_stored;
DELETE FROM pk_held_rows WHERE id < 3500;
SELECT count(*), count(DISTINCT id), count(DISTINCT key), min(key), max(key), max(id) - min(id) AS ids,
       bool_and(not_before - enqueued_at >= interval '1 hour') AS grace
FROM pk_queue;
SELECT DISTINCT kind, state, store, reason, attempts, in_doubt, last_error FROM pk_queue;
SELECT packed, rows, holes FROM pk_stored;
SELECT count(*) > 1 AS several, bool_and(octet_length(keys) <= 8000) AS fit FROM audiostore.operation_packs WHERE store = 'pk_held';
SELECT count(*) FROM (SELECT id, lag(id) OVER (ORDER BY key) AS before FROM pk_queue) q WHERE id <> before + 1;
SELECT pending FROM audiostore.status;
-- Ids after it are free.
SELECT audiostore.delete_object('pk_held', 'later') > max(id) AS later FROM pk_queue;

-- A reference takes its key back, and leaves the others alone; rolled back, it has not.
INSERT INTO pk_held_rows VALUES (1000, 'k1000'), (1001, 'k1001'), (3499, 'k3499');
SELECT count(*), count(*) FILTER (WHERE key IN ('k1000', 'k1001', 'k3499')) AS taken_back FROM pk_queue;
BEGIN;
INSERT INTO pk_held_rows VALUES (1002, 'k1002');
SAVEPOINT s;
INSERT INTO pk_held_rows VALUES (1003, 'k1003');
SELECT count(*) FROM pk_queue;
ROLLBACK TO s;
SELECT count(*) FROM pk_queue;
ROLLBACK;
SELECT count(*) FROM pk_queue;
SELECT audiostore.undelete('pk_held', 'k1004'), audiostore.undelete('pk_held', 'k1004') AS again, audiostore.undelete('pk_held', 'nothing') AS nothing;
SELECT count(*) FROM pk_queue;
SELECT pending FROM audiostore.status;
-- Let go again, it has a delete of its own with all of its grace period.
DELETE FROM pk_held_rows WHERE key = 'k1000';
SELECT count(*), count(*) FILTER (WHERE key = 'k1000') AS again FROM pk_queue;
SELECT later.not_before > earlier.not_before AS later FROM pk_queue later, pk_queue earlier WHERE later.key = 'k1000' AND earlier.key = 'k1002';
-- In the transaction that queued it, too.
BEGIN;
DELETE FROM pk_held_rows WHERE id < 3999;
INSERT INTO pk_held_rows VALUES (3600, 'k3600');
SELECT count(*) FILTER (WHERE key = 'k3600') FROM pk_queue;
ROLLBACK;

-- Single operations: cancelled, retried, deleted and changed by id.
SELECT id AS one FROM pk_queue WHERE key = 'k1010' \gset
SELECT id AS two FROM pk_queue WHERE key = 'k1011' \gset
SELECT audiostore.cancel_operation(:one), audiostore.retry_operation(:two);
SELECT key, attempts, not_before <= clock_timestamp() AS due FROM pk_queue WHERE id IN (:one, :two);
\set VERBOSITY sqlstate
SELECT audiostore.cancel_operation(:one);
SELECT audiostore.retry_operation(:one);
UPDATE pk_queue SET id = 1 WHERE key = 'k1012';
\set VERBOSITY default
DELETE FROM audiostore.operations WHERE key = 'k1012';
UPDATE audiostore.operations SET reason = 'changed', not_before = 'infinity' WHERE key IN ('k1011', 'k1013');
SELECT key, reason, not_before FROM pk_queue WHERE key BETWEEN 'k1010' AND 'k1014' AND key <> 'k1014';
SELECT count(*), count(DISTINCT id), count(DISTINCT key) FROM pk_queue;
SELECT audiostore.delete_object('pk_held', 'k1020') > 0 AS asked_again;
SELECT count(*), count(DISTINCT key) FROM pk_queue;

-- On its way, or in doubt, a delete stays.
UPDATE audiostore.operation_packs SET state = 'running', leased_until = now() + interval '1 hour', claimed_by = pg_backend_pid()
WHERE store = 'pk_held';
INSERT INTO pk_held_rows VALUES (1030, 'k1030');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.undelete('pk_held', 'k1030');
SELECT id AS running FROM pk_queue WHERE key = 'k1030' \gset
\set VERBOSITY sqlstate
SELECT audiostore.cancel_operation(:running);
\set VERBOSITY default
SELECT audiostore.delete_object('pk_held', 'k1030') = :running AS the_one_there_is;
SELECT audiostore.put_object('pk_held', 'k1030', 'x') > :running AS put;
SELECT kind, state FROM pk_queue WHERE key = 'k1030' ORDER BY id;
UPDATE audiostore.operation_packs SET state = 'pending', in_doubt = true, leased_until = NULL, claimed_by = NULL WHERE store = 'pk_held';
INSERT INTO pk_held_rows VALUES (1031, 'k1031');
\echo :LAST_ERROR_SQLSTATE
UPDATE audiostore.operation_packs SET in_doubt = false WHERE store = 'pk_held';
SELECT id FROM pk_held_rows WHERE id IN (1030, 1031);
-- The put waits for it.
CALL audiostore.run('outbox');
SELECT kind, state, attempts FROM pk_queue WHERE key = 'k1030' ORDER BY id;
SELECT audiostore.undelete('pk_held', 'k1030');
CALL audiostore.run('outbox');
SELECT count(*) FROM pk_queue WHERE key = 'k1030';

-- A second statement that lets go of the same keys replaces what the first one queued, and rows in between.
SELECT count(audiostore.delete_object('pk_held', 'k' || n)) FROM generate_series(2000, 2009) n;
SET session_replication_role = replica;
INSERT INTO pk_held_rows SELECT n, 'k' || n FROM generate_series(2000, 3998) n ON CONFLICT DO NOTHING;
RESET session_replication_role;
SELECT max(id) AS before FROM pk_queue \gset
DELETE FROM pk_held_rows WHERE id BETWEEN 2000 AND 3998;
SELECT count(*) = count(DISTINCT key) AS one_each, count(*) FILTER (WHERE id > :before) AS of_the_second FROM pk_queue;
INSERT INTO pk_held_rows SELECT n, 'k' || n FROM generate_series(1500, 3400) n;
SELECT count(*) FILTER (WHERE key BETWEEN 'k1500' AND 'k3400') AS taken_back, count(*) = count(DISTINCT key) AS one_each FROM pk_queue;
DELETE FROM pk_held_rows;
SELECT count(*) = count(DISTINCT key) AS one_each, count(*) FILTER (WHERE key BETWEEN 'k1500' AND 'k3400') AS queued FROM pk_queue;

-- A table whose rows hold such keys becomes tracked.
CREATE TABLE pk_late (key text);
INSERT INTO pk_late SELECT 'k' || n FROM generate_series(1500, 1509) n;
SELECT audiostore.track('pk_late', 'key', store => 'pk_held');
SELECT count(*) FILTER (WHERE key BETWEEN 'k1500' AND 'k1509') FROM pk_queue;
DROP TABLE pk_late;
DELETE FROM audiostore.operations WHERE store = 'pk_held';
SELECT count(*) FROM pk_queue;

-- Grace periods count from the end of the transaction; prepared transactions queue at COMMIT PREPARED.
INSERT INTO pk_held_rows SELECT n, 'g' || n FROM generate_series(1, 1500) n;
BEGIN;
DELETE FROM pk_held_rows;
DO $$ BEGIN WHILE clock_timestamp() < now() + interval '1.2 s' LOOP PERFORM pg_sleep(0.02); END LOOP; END $$;
SELECT clock_timestamp() AS at \gset
PREPARE TRANSACTION 'pk_one';
SELECT count(*) FROM pk_queue;
COMMIT PREPARED 'pk_one';
SELECT count(*), bool_and(not_before >= :'at'::timestamptz + interval '1 hour') AS grace FROM pk_queue;
DELETE FROM audiostore.operations WHERE store = 'pk_held';

-- Keys too long for a pack are rows beside it.
INSERT INTO pk_held_rows SELECT n, repeat('long/', CASE WHEN n % 500 = 0 THEN 420 ELSE 20 END) || n FROM generate_series(1, 1500) n;
DELETE FROM pk_held_rows;
SELECT packed, rows FROM (SELECT coalesce(sum(key_count), 0) AS packed FROM audiostore.operation_packs WHERE store = 'pk_held' AND NOT EXISTS
    (SELECT FROM audiostore.operation_holes h WHERE h.id BETWEEN operation_packs.id AND operation_packs.id + key_count - 1)) p,
    (SELECT count(*) AS rows FROM audiostore.operation_rows WHERE store = 'pk_held') r;
SELECT count(*), count(DISTINCT key), max(length(key)) FROM pk_queue;
DELETE FROM audiostore.operations WHERE store = 'pk_held';

-- Drained: what is held by then stays, what was taken back too, and copies of what goes come first.
SELECT audiostore.copy_object('pk', 'a/k2222', 'pk', 'copied') > 0 AS copied;
DELETE FROM pk_rows;
SELECT count(*), count(DISTINCT key) FROM pk_queue WHERE kind = 'delete';
INSERT INTO pk_rows SELECT n, 'a/k' || n FROM generate_series(1000, 3999, 100) n;
SET session_replication_role = replica;
INSERT INTO pk_rows SELECT n, 'a/k' || n FROM generate_series(1001, 3999, 50) n;
RESET session_replication_role;
SELECT audiostore.put_object('pk', 'a/k1777', 'new') > 0 AS put;
INSERT INTO pk_rows VALUES (1777, 'a/k1777');
CALL pk_drain('pk');
SELECT * FROM pk_objects();
SELECT convert_from(audiostore.get_object('pk', 'a/k1777'), 'UTF8'), (audiostore.head_object('pk', 'copied')).size AS copied;
CALL audiostore.run('outbox');
SELECT count(*) FROM audiostore.operation_packs WHERE store = 'pk';

-- TRUNCATE and DROP TABLE as well.
SET session_replication_role = replica;
INSERT INTO pk_rows SELECT n, 'a/k' || n FROM generate_series(1000, 3999) n ON CONFLICT DO NOTHING;
RESET session_replication_role;
TRUNCATE pk_rows;
SELECT count(*), count(DISTINCT key) FROM pk_queue WHERE store = 'pk';
SELECT packed > 2000 AS packed FROM pk_stored;
CALL pk_drain('pk');
SELECT * FROM pk_objects();
SELECT count(*) FROM pk_queue;

-- Behind many statements that have packs a further one queues rows, unless it is very large: each would look into all.
BEGIN;
INSERT INTO pk_held_rows SELECT n, 'm' || n FROM generate_series(100000, 184999) n;
DO $$ BEGIN FOR i IN 0..34 LOOP DELETE FROM pk_held_rows WHERE id BETWEEN 100000 AND 134999 AND id % 35 = i; END LOOP; END $$;
SELECT count(DISTINCT statement) AS statements FROM audiostore.operation_packs WHERE store = 'pk_held';
SELECT count(*) FROM audiostore.operation_rows WHERE store = 'pk_held' AND key LIKE 'm1_____';
DELETE FROM pk_held_rows WHERE id >= 135000;
SELECT count(DISTINCT statement) AS statements FROM audiostore.operation_packs WHERE store = 'pk_held';
SELECT count(*) FROM audiostore.operation_rows WHERE store = 'pk_held' AND key LIKE 'm1_____';
ROLLBACK;

-- Bytes that are no pack say so.
SELECT * FROM audiostore.unpack_keys(7, '\x000161000162010163');
\set VERBOSITY sqlstate
SELECT * FROM audiostore.unpack_keys(7, '\x0501');
SELECT * FROM audiostore.unpack_keys(7, '\x0001ff');
\set VERBOSITY default

SET client_min_messages = warning;
DROP PROCEDURE pk_drain(text);
DROP FUNCTION pk_objects();
DROP VIEW pk_queue, pk_stored;
DROP TABLE pk_rows, pk_held_rows;
DROP SERVER pk;
DROP SERVER pk_held;
