CREATE TABLE bench.recordings (id bigint PRIMARY KEY, key text, size bigint);
SELECT audiostore.track('bench.recordings', 'key', 'bench_drain');

-- Three ways to claim and settle by hand. All of them commit each claim, mark what they claimed as ours does, read the
-- keys as a sender would have to, go on where they stopped (so that they do not wade through what they removed), and
-- do not wait for the disk when they settle, as a settlement that is lost is only done again.

CREATE PROCEDURE bench.drain_by_id(batch integer) LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[];
    keys text[];
    last_due timestamptz := '-infinity';
    last_id bigint := 0;
BEGIN
    LOOP
        WITH due AS (
            SELECT id FROM audiostore.operation_rows
            WHERE store = 'bench_drain' AND not_before <= now() AND (not_before, id) > (last_due, last_id)
              AND state = 'pending'
            ORDER BY not_before, id LIMIT batch FOR UPDATE SKIP LOCKED),
        claimed AS (
            UPDATE audiostore.operation_rows o
            SET state = 'running', attempts = attempts + 1, leased_until = now() + interval '1 minute',
                claimed_by = pg_backend_pid()
            FROM due WHERE o.id = due.id
            RETURNING o.id, o.key, o.not_before)
        SELECT array_agg(id), array_agg(key), max(not_before), max(id)
        INTO ids, keys, last_due, last_id FROM claimed;
        EXIT WHEN ids IS NULL;
        COMMIT;
        SET LOCAL synchronous_commit = off;
        DELETE FROM audiostore.operation_rows WHERE id = ANY (ids);
        COMMIT;
    END LOOP;
END
$$;

CREATE PROCEDURE bench.drain_by_ctid(batch integer) LANGUAGE plpgsql AS $$
DECLARE
    rows tid[];
    keys text[];
    last_due timestamptz := '-infinity';
    last_id bigint := 0;
BEGIN
    LOOP
        WITH claimed AS (
            UPDATE audiostore.operation_rows o
            SET state = 'running', attempts = attempts + 1, leased_until = now() + interval '1 minute',
                claimed_by = pg_backend_pid()
            WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM audiostore.operation_rows
                WHERE store = 'bench_drain' AND not_before <= now() AND (not_before, id) > (last_due, last_id)
                  AND state = 'pending'
                ORDER BY not_before, id LIMIT batch FOR UPDATE SKIP LOCKED))
            RETURNING o.ctid, o.id, o.key, o.not_before)
        SELECT array_agg(ctid), array_agg(key), max(not_before), max(id)
        INTO rows, keys, last_due, last_id FROM claimed;
        EXIT WHEN rows IS NULL;
        COMMIT;
        SET LOCAL synchronous_commit = off;
        DELETE FROM audiostore.operation_rows WHERE ctid = ANY (rows);
        COMMIT;
    END LOOP;
END
$$;

-- Without row locks before the update: several of these at a time would wait for each other instead of sharing the
-- work, and still never claim a row twice.
CREATE PROCEDURE bench.drain_unlocked_by_ctid(batch integer) LANGUAGE plpgsql AS $$
DECLARE
    rows tid[];
    keys text[];
    last_due timestamptz := '-infinity';
    last_id bigint := 0;
BEGIN
    LOOP
        WITH claimed AS (
            UPDATE audiostore.operation_rows o
            SET state = 'running', attempts = attempts + 1, leased_until = now() + interval '1 minute',
                claimed_by = pg_backend_pid()
            WHERE state = 'pending' AND ctid = ANY (ARRAY(
                SELECT ctid FROM audiostore.operation_rows
                WHERE store = 'bench_drain' AND not_before <= now() AND (not_before, id) > (last_due, last_id)
                  AND state = 'pending'
                ORDER BY not_before, id LIMIT batch))
            RETURNING o.ctid, o.id, o.key, o.not_before)
        SELECT array_agg(ctid), array_agg(key), max(not_before), max(id)
        INTO rows, keys, last_due, last_id FROM claimed;
        EXIT WHEN rows IS NULL;
        COMMIT;
        SET LOCAL synchronous_commit = off;
        DELETE FROM audiostore.operation_rows WHERE ctid = ANY (rows);
        COMMIT;
    END LOOP;
END
$$;

-- The same keys as rows, as many small statements would have left them.
CREATE PROCEDURE bench.queue_rows() LANGUAGE plpgsql AS $$
DECLARE
    most CONSTANT bigint := 900;
BEGIN
    FOR from_id IN 1..(SELECT max(id) FROM bench.recordings) BY most LOOP
        DELETE FROM bench.recordings WHERE id >= from_id AND id < from_id + most;
    END LOOP;
END
$$;

-- The last operations first, as looking for any at all has to read everything that was removed and not cleaned up.
CREATE PROCEDURE bench.await_empty_queue() LANGUAGE plpgsql AS $$
DECLARE
    last bigint := (SELECT last_value - 2000 FROM audiostore.operations_id_seq);
BEGIN
    LOOP
        EXIT WHEN NOT EXISTS (SELECT FROM audiostore.operation_rows WHERE id > last)
            AND NOT EXISTS (SELECT FROM audiostore.operation_packs WHERE id > last)
            AND NOT EXISTS (SELECT FROM audiostore.operation_rows)
            AND NOT EXISTS (SELECT FROM audiostore.operation_packs);
        COMMIT;
        PERFORM pg_sleep(0.002);
    END LOOP;
END
$$;
