-- Workers: what they have done, and how they are.
CREATE TABLE audiostore.runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz CHECK (finished_at >= started_at),
    rows bigint CHECK (rows >= 0),
    bytes bigint CHECK (bytes >= 0),
    error text,
    pid integer,
    duration interval GENERATED ALWAYS AS (finished_at - started_at) STORED
);
CREATE INDEX runs_started_at ON audiostore.runs (started_at);
CREATE INDEX runs_task ON audiostore.runs (task, finished_at, id);

COMMENT ON TABLE audiostore.runs IS
    'History of recurring tasks. A run is recorded before it starts: one without an end is under way, or its process died. Entries older than the setting audiostore.run_history are removed, and of each task those beyond the newest audiostore.run_history_count. No part of a dump: a worker writes here while its database is still being restored';
COMMENT ON COLUMN audiostore.runs.id IS 'number of the run';
COMMENT ON COLUMN audiostore.runs.task IS 'what ran: outbox, expiry, policies, audits, accounting or mastering, with its subject where there is one';
COMMENT ON COLUMN audiostore.runs.started_at IS 'when it started';
COMMENT ON COLUMN audiostore.runs.finished_at IS 'when it ended, well or not';
COMMENT ON COLUMN audiostore.runs.rows IS 'rows that it changed, or operations that it carried out';
COMMENT ON COLUMN audiostore.runs.bytes IS 'bytes of the objects concerned';
COMMENT ON COLUMN audiostore.runs.error IS 'why it failed; NULL when it went well';
COMMENT ON COLUMN audiostore.runs.pid IS 'process that ran it';
COMMENT ON COLUMN audiostore.runs.duration IS 'how long it took';
COMMENT ON INDEX audiostore.runs_started_at IS 'for removing old entries';
COMMENT ON INDEX audiostore.runs_task IS 'runs of a task in the order in which they ended';

CREATE FUNCTION audiostore.workers(
    OUT database_oid oid, OUT pid integer, OUT state text, OUT started_at timestamptz, OUT since timestamptz,
    OUT last_step timestamptz, OUT operations_done bigint, OUT operations_failed bigint, OUT bytes bigint,
    OUT last_error text, OUT last_error_at timestamptz)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'audiostore_workers';
COMMENT ON FUNCTION audiostore.workers() IS 'The database workers of this server; see the view audiostore.worker_status';

CREATE VIEW audiostore.worker_status AS
    SELECT coalesce(d.datname::text, w.database_oid::text) AS database, w.pid, w.state, w.started_at, w.since,
           w.last_step, w.operations_done, w.operations_failed, w.bytes, w.last_error, w.last_error_at
    FROM audiostore.workers() w
    LEFT JOIN pg_catalog.pg_database d ON d.oid = w.database_oid;
COMMENT ON VIEW audiostore.worker_status IS
    'The database workers of this server, one row each; empty where the library is not in shared_preload_libraries';
COMMENT ON COLUMN audiostore.worker_status.database IS 'database that it works on';
COMMENT ON COLUMN audiostore.worker_status.pid IS 'its process; NULL while it has none';
COMMENT ON COLUMN audiostore.worker_status.state IS
    'starting, running, or waiting: ended, to be started again after a pause';
COMMENT ON COLUMN audiostore.worker_status.started_at IS 'when it was started; the counters begin there';
COMMENT ON COLUMN audiostore.worker_status.since IS 'when it came into this state';
COMMENT ON COLUMN audiostore.worker_status.last_step IS 'when it last looked for work';
COMMENT ON COLUMN audiostore.worker_status.operations_done IS 'operations carried out';
COMMENT ON COLUMN audiostore.worker_status.operations_failed IS 'attempts that failed';
COMMENT ON COLUMN audiostore.worker_status.bytes IS 'bytes sent to stores';
COMMENT ON COLUMN audiostore.worker_status.last_error IS 'the last error, cut to some 250 bytes';
COMMENT ON COLUMN audiostore.worker_status.last_error_at IS 'when that was';

CREATE FUNCTION audiostore.worker_state() RETURNS text
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'audiostore_worker_state';
COMMENT ON FUNCTION audiostore.worker_state() IS
    'State of this database''s worker: starting, running or waiting (to be started again); none; disabled (audiostore.enabled is off); or not preloaded (the library is not in shared_preload_libraries)';

CREATE FUNCTION audiostore.wake() RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'audiostore_wake';
COMMENT ON FUNCTION audiostore.wake() IS
    'Wakes this database''s worker, which otherwise hears of work when it is committed; false when there is none';

CREATE FUNCTION audiostore.tracked_totals(OUT objects bigint, OUT bytes bigint)
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'audiostore_tracked_totals';
COMMENT ON FUNCTION audiostore.tracked_totals() IS
    'Live rows of all tracked columns, and the sum of the sizes that they state, counted now: reads the tables as their owners';

CREATE VIEW audiostore.status AS
    SELECT t.objects, t.bytes, o.pending, o.oldest_pending, o.dead, a.alerts, audiostore.worker_state() AS worker
    FROM audiostore.tracked_totals() t,
         (SELECT coalesce(sum(operations) FILTER (WHERE state <> 'dead'), 0)::bigint AS pending,
                 min(enqueued_at) FILTER (WHERE state <> 'dead') AS oldest_pending,
                 coalesce(sum(operations) FILTER (WHERE state = 'dead'), 0)::bigint AS dead
          FROM (SELECT state, enqueued_at, 1 AS operations FROM audiostore.operation_rows
                UNION ALL
                SELECT state, enqueued_at,
                       key_count - (SELECT count(DISTINCT h.id) FROM audiostore.operation_holes h
                                    WHERE h.id BETWEEN p.id AND p.id + p.key_count - 1)
                FROM audiostore.operation_packs p) q
          WHERE operations > 0) o,
         (SELECT count(*) AS alerts FROM audiostore.alerts WHERE cleared_at IS NULL) a;
COMMENT ON VIEW audiostore.status IS 'This database at a glance, one row, for \watch. It counts the tracked tables, so it takes as long as that takes';
COMMENT ON COLUMN audiostore.status.objects IS 'live rows of all tracked columns';
COMMENT ON COLUMN audiostore.status.bytes IS 'their sizes, where a size column is tracked with them';
COMMENT ON COLUMN audiostore.status.pending IS 'operations queued or under way';
COMMENT ON COLUMN audiostore.status.oldest_pending IS 'when the oldest of them was queued';
COMMENT ON COLUMN audiostore.status.dead IS 'operations that were given up, see dead_operations';
COMMENT ON COLUMN audiostore.status.alerts IS 'open alerts';
COMMENT ON COLUMN audiostore.status.worker IS 'state of this database''s worker, see worker_state()';

CREATE PROCEDURE audiostore.run(what text DEFAULT NULL)
    LANGUAGE c AS 'MODULE_PATHNAME', 'audiostore_run';
COMMENT ON PROCEDURE audiostore.run(text) IS
    'Does now, in this session, what the worker would do: all that is due, or one of outbox, expiry, policies, audits, accounting, mastering. Commits as it goes, so it cannot run inside a transaction block or a function';

REVOKE ALL ON audiostore.runs, audiostore.worker_status, audiostore.status FROM PUBLIC;
REVOKE ALL ON FUNCTION audiostore.workers(), audiostore.worker_state(), audiostore.tracked_totals() FROM PUBLIC;
REVOKE ALL ON PROCEDURE audiostore.run(text) FROM PUBLIC;
GRANT SELECT ON audiostore.runs, audiostore.worker_status, audiostore.status TO pg_monitor;
GRANT EXECUTE ON FUNCTION audiostore.workers(), audiostore.worker_state(), audiostore.tracked_totals() TO pg_monitor;
