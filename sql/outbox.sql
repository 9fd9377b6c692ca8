-- The outbox: what is queued, taken back, refused, done in order, given up and retried.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
SELECT current_setting('data_directory') || '/regress-outbox' AS root,
       'cat >/dev/null; rm -rf "' || current_setting('data_directory') || '/regress-outbox"; mkdir -p "'
       || current_setting('data_directory') || '/regress-outbox/a" "'
       || current_setting('data_directory') || '/regress-outbox/b"' AS make_root \gset
COPY (SELECT 1) TO PROGRAM :'make_root';
SELECT :'root' || '/a' AS root_a, :'root' || '/b' AS root_b, :'root' || '/missing' AS root_missing \gset
CREATE SERVER ox_a FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root_a');
CREATE SERVER ox_b FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root_b');
CREATE SERVER ox_held FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root_a', prefix 'held/', delete_grace '1 hour');
-- With and without a worker: until nothing that is due is left.
CREATE PROCEDURE ox_drain() LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        CALL audiostore.run('outbox');
        EXIT WHEN NOT EXISTS (SELECT FROM audiostore.operations WHERE store LIKE 'ox\_%' AND not_before <= clock_timestamp());
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
CREATE VIEW ox_queue AS
    SELECT kind, state, store, key, target_store, target, reason, attempts, in_doubt, last_error
    FROM audiostore.operations WHERE store LIKE 'ox\_%' ORDER BY id;

CREATE TABLE ox_rows (id integer PRIMARY KEY, key text, gone boolean NOT NULL DEFAULT false);
SELECT audiostore.track('ox_rows', 'key', store => 'ox_held', live_when => 'NOT gone');
INSERT INTO ox_rows SELECT n, 'k' || n FROM generate_series(1, 5) n;

-- A delete that is rolled back queues nothing; one that commits queues one for each key, after its grace period.
BEGIN;
DELETE FROM ox_rows;
SELECT count(*) FROM ox_queue;
ROLLBACK;
BEGIN;
SAVEPOINT before;
DELETE FROM ox_rows WHERE id = 1;
ROLLBACK TO before;
UPDATE ox_rows SET gone = true WHERE id = 2;
COMMIT;
DELETE FROM ox_rows WHERE id IN (2, 3);
SELECT * FROM ox_queue;
SELECT key, not_before - enqueued_at >= interval '1 hour' AS grace_kept FROM audiostore.operations
WHERE store = 'ox_held' ORDER BY key;
CALL ox_drain();
SELECT count(*) FROM ox_queue;

-- One pending delete for a key, however often it is asked for.
SELECT audiostore.delete_object('ox_held', 'k3') AS id \gset
SELECT id = :id AS the_one_there_is FROM audiostore.operations WHERE key = 'k3';

-- A reference beats a delete; undelete() does the same without a row.
INSERT INTO ox_rows VALUES (2, 'k2');
SELECT key FROM ox_queue;
SELECT audiostore.undelete('ox_held', 'k3'), audiostore.undelete('ox_held', 'k3') AS again;
SELECT key FROM ox_queue;

-- A delete on the wire, or one that may have reached the store, cannot be taken back.
DELETE FROM ox_rows WHERE id IN (4, 5);
UPDATE audiostore.operations SET state = 'running', leased_until = now() + interval '1 hour', claimed_by = pg_backend_pid()
WHERE store = 'ox_held' AND key = 'k4';
UPDATE audiostore.operations SET in_doubt = true WHERE store = 'ox_held' AND key = 'k5';
INSERT INTO ox_rows VALUES (4, 'k4');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO ox_rows VALUES (5, 'k5');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.undelete('ox_held', 'k5');
\set VERBOSITY sqlstate
SELECT audiostore.cancel_operation(id) FROM audiostore.operations WHERE key = 'k4';
\set VERBOSITY default
SELECT id FROM ox_rows ORDER BY id;
UPDATE audiostore.operations SET state = 'pending', leased_until = NULL, claimed_by = NULL WHERE key = 'k4';
SELECT audiostore.cancel_operation(id) FROM audiostore.operations WHERE key IN ('k4', 'k5') ORDER BY key;
SELECT count(*) FROM ox_queue;

-- Prepared transactions queue at COMMIT PREPARED.
BEGIN;
DELETE FROM ox_rows WHERE id = 1;
PREPARE TRANSACTION 'ox_one';
SELECT count(*) FROM ox_queue;
COMMIT PREPARED 'ox_one';
SELECT kind, key FROM ox_queue;
BEGIN;
INSERT INTO ox_rows VALUES (1, 'k1');
SELECT kind, key FROM ox_queue;
PREPARE TRANSACTION 'ox_two';
ROLLBACK PREPARED 'ox_two';
SELECT kind, key FROM ox_queue;
SELECT audiostore.undelete('ox_held', 'k1');

-- Operations on one key take effect in the order in which they were queued.
SELECT audiostore.put_object('ox_a', 'order', 'one') > 0 AS put,
       audiostore.copy_object('ox_a', 'order', 'ox_b', 'copied') > 0 AS copied,
       audiostore.put_object('ox_a', 'order', 'two') > 0 AS put_again,
       audiostore.delete_object('ox_a', 'order') > 0 AS deleted;
CALL ox_drain();
SELECT convert_from(audiostore.get_object('ox_b', 'copied'), 'UTF8') AS copied,
       (audiostore.head_object('ox_a', 'order')).size AS deleted;

-- A put replaces the pending delete of its key.
SELECT audiostore.put_object('ox_a', 'kept', 'first') > 0 AS queued;
BEGIN;
SELECT audiostore.delete_object('ox_a', 'kept') > 0 AS queued;
SELECT audiostore.put_object('ox_a', 'kept', 'second') > 0 AS queued;
SELECT kind, key FROM ox_queue WHERE key = 'kept' AND kind = 'delete';
COMMIT;
CALL ox_drain();
SELECT convert_from(audiostore.get_object('ox_a', 'kept'), 'UTF8');

-- Moves, inside a store and to another one: the source goes when its copy is in place.
SELECT audiostore.move_object('ox_a', 'kept', 'ox_a', 'moved/here') > 0 AS queued;
CALL ox_drain();
SELECT audiostore.move_object('ox_a', 'moved/here', 'ox_b', 'there') > 0 AS queued;
CALL ox_drain();
SELECT (audiostore.head_object('ox_a', 'kept')).size AS first, (audiostore.head_object('ox_a', 'moved/here')).size AS second,
       (audiostore.head_object('ox_b', 'there')).size AS third;

-- What cannot succeed is given up, kept and shown; it can be retried or dropped.
SELECT audiostore.copy_object('ox_a', 'nothing', 'ox_b', 'never') > 0 AS queued;
CALL ox_drain();
SELECT kind, store, key, attempts, last_error FROM audiostore.dead_operations WHERE store = 'ox_a';
SELECT name, subject, message FROM audiostore.alerts WHERE subject = 'ox_a' AND cleared_at IS NULL;
SELECT audiostore.put_object('ox_a', 'nothing', 'something') > 0 AS queued;
CALL ox_drain();
SELECT audiostore.retry_operation(id) FROM audiostore.dead_operations WHERE store = 'ox_a';
CALL ox_drain();
SELECT count(*) FROM ox_queue;
SELECT convert_from(audiostore.get_object('ox_b', 'never'), 'UTF8');
SELECT count(*) FROM audiostore.alerts WHERE subject = 'ox_a' AND cleared_at IS NULL;
SELECT audiostore.retry_operation(-1);
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.cancel_operation(NULL);

-- A store that fails as a whole is paused with an alert; its operations keep their attempts.
CREATE SERVER ox_missing FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root_missing');
SELECT audiostore.put_object('ox_missing', 'x', 'x') > 0 AS queued;
CREATE PROCEDURE ox_wait_for_alert() LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        CALL audiostore.run('outbox');
        EXIT WHEN EXISTS (SELECT FROM audiostore.alerts WHERE name = 'store_paused' AND subject = 'ox_missing');
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
CALL ox_wait_for_alert();
SELECT kind, attempts, last_error FROM audiostore.operations WHERE store = 'ox_missing' AND state = 'pending';
SELECT count(*) FROM audiostore.alerts WHERE name = 'store_paused' AND subject = 'ox_missing' AND cleared_at IS NULL;

-- Nobody else's business.
CREATE ROLE ox_nobody;
SET ROLE ox_nobody;
SELECT count(*) FROM audiostore.operations;
SELECT audiostore.undelete('ox_held', 'k1');
\echo :LAST_ERROR_SQLSTATE
CALL audiostore.run();
RESET ROLE;

-- Deletes by the thousand leave nothing behind.
INSERT INTO ox_rows SELECT n, 'bulk/' || n FROM generate_series(1000, 6999) n;
DELETE FROM ox_rows WHERE id >= 1000;
SELECT count(*), count(DISTINCT key) FROM ox_queue WHERE store = 'ox_held';
INSERT INTO ox_rows SELECT n, 'bulk/' || n FROM generate_series(1000, 6999) n;
SELECT count(*) FROM ox_queue WHERE store = 'ox_held';

-- A live_when that raises when a delete is claimed pauses its store, and no other; when it is mended, all goes on.
CREATE TABLE ox_trap (armed boolean NOT NULL);
INSERT INTO ox_trap VALUES (false);
CREATE FUNCTION ox_is_live(id integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF (SELECT armed FROM public.ox_trap) THEN RAISE EXCEPTION 'row % cannot be judged', id; END IF;
    RETURN true;
END
$$;
CREATE TABLE ox_trapped (id integer PRIMARY KEY, key text);
CREATE TABLE ox_free (id integer PRIMARY KEY, key text);
SELECT audiostore.track('ox_trapped', 'key', store => 'ox_a', live_when => 'public.ox_is_live(id)');
SELECT audiostore.track('ox_free', 'key', store => 'ox_b');
INSERT INTO ox_trapped VALUES (1, 'trapped'), (2, 'other');
INSERT INTO ox_free VALUES (1, 'free');
DELETE FROM ox_trapped WHERE id = 1;
DELETE FROM ox_free;
SET session_replication_role = replica;
INSERT INTO ox_trapped VALUES (3, 'trapped');
RESET session_replication_role;
UPDATE ox_trap SET armed = true;
CALL audiostore.run('outbox');
SELECT kind, state, store, key, attempts FROM ox_queue WHERE store IN ('ox_a', 'ox_b');
SELECT name, subject, message FROM audiostore.alerts WHERE cleared_at IS NULL AND subject IN ('ox_a', 'ox_b');
UPDATE ox_trap SET armed = false;
CALL audiostore.run('outbox');
SELECT count(*) FROM ox_queue WHERE store IN ('ox_a', 'ox_b');
SELECT count(*) FROM audiostore.alerts WHERE cleared_at IS NULL AND subject IN ('ox_a', 'ox_b');
DROP TABLE ox_trapped, ox_free;

-- A delete for a time to come: cancelled by a row that comes to hold the key, by a put, and by a row that holds it then
SELECT count(audiostore.expire_object('ox_held', key, '2100-01-01')) FROM unnest(ARRAY['e1', 'e2', 'e3', 'e4', 'e1']) AS key;
SELECT key, reason, not_before FROM audiostore.operations WHERE store = 'ox_held' AND key LIKE 'e_' ORDER BY key;
INSERT INTO ox_rows VALUES (101, 'e1');
SELECT audiostore.put_object('ox_held', 'e2', '') > 0 AS put;
SELECT kind, key FROM ox_queue WHERE key LIKE 'e_';
SELECT audiostore.expire_object('ox_held', 'e1', '2000-01-01') > 0 AND audiostore.expire_object('ox_held', 'e3', '2000-01-01') > 0 AS queued;
CALL audiostore.run('outbox');
SELECT kind, key, state FROM ox_queue WHERE key LIKE 'e_';
SELECT audiostore.expire_object('ox_held', 'e1', 'infinity');
SELECT audiostore.expire_object('ox_held', 'e1', NULL);
SELECT audiostore.expire_object('ox_held', '', now());
SET ROLE ox_nobody;
SELECT audiostore.expire_object('ox_held', 'e1', now());
RESET ROLE;

SET client_min_messages = warning;
DROP FUNCTION ox_is_live(integer);
DROP TABLE ox_trap;
DROP TABLE ox_rows;
DELETE FROM audiostore.operations WHERE store LIKE 'ox\_%';
DROP VIEW ox_queue;
DROP PROCEDURE ox_drain();
DROP PROCEDURE ox_wait_for_alert();
DROP SERVER ox_a;
DROP SERVER ox_b;
DROP SERVER ox_held;
DROP SERVER ox_missing;
DROP ROLE ox_nobody;
