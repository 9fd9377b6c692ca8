-- What runs now, and how far it is.
CREATE FUNCTION audiostore.running_tasks(OUT task text, OUT subject text, OUT pid integer, OUT started_at timestamptz,
        OUT done bigint, OUT total bigint)
    RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'audiostore_running_tasks';
COMMENT ON FUNCTION audiostore.running_tasks() IS
    'What processes that work in this database say about themselves, from shared memory; see the view progress. Empty where the library is not in shared_preload_libraries';
REVOKE ALL ON FUNCTION audiostore.running_tasks() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audiostore.running_tasks() TO pg_monitor;

CREATE FUNCTION audiostore.running_audits(OUT task text, OUT subject text, OUT pid integer, OUT started_at timestamptz,
        OUT done bigint, OUT total bigint)
    RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'audits', format('audit %s of store %s', a.id, a.store), a.claimed_by, a.started_at, a.objects,
           greatest(a.objects_expected, a.objects)
    FROM audiostore.audits a WHERE a.state = 'running' AND a.leased_until > clock_timestamp()
$$;
COMMENT ON FUNCTION audiostore.running_audits() IS 'Audits that run now, as rows of the view progress: objects listed, of those expected';
REVOKE ALL ON FUNCTION audiostore.running_audits() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audiostore.running_audits() TO pg_monitor;

CREATE VIEW audiostore.progress AS
    WITH told AS MATERIALIZED (SELECT * FROM audiostore.running_tasks()),
    due AS (
        SELECT CASE WHEN EXISTS (SELECT FROM told WHERE told.task = 'outbox') THEN
               (SELECT count(*)
                FROM audiostore.store_classes s
                CROSS JOIN LATERAL (
                    SELECT FROM audiostore.operation_rows o
                    WHERE o.store = s.store AND o.not_before <= statement_timestamp() LIMIT 10000) few)
               + (SELECT coalesce(sum(k.key_count), 0)::bigint FROM audiostore.operation_packs k
                  WHERE k.not_before <= statement_timestamp()) END AS operations),
    queued AS (
        SELECT count(*) AS jobs
        FROM (SELECT FROM audiostore.jobs j
              WHERE j.job_type = 'audio_finalize' AND (j.state = 'running' OR j.state = 'pending' AND j.not_before <= statement_timestamp())
              LIMIT 10000) few
        WHERE EXISTS (SELECT FROM told WHERE told.task = 'mastering')),
    running AS (
        SELECT t.task,
               CASE WHEN t.task = 'policies' THEN
                   coalesce((SELECT format('%s policy %s of %s', p.kind, p.id, coalesce('store ' || p.store, 'relation ' || p.relation::text))
                             FROM audiostore.policies p WHERE t.subject = 'policy ' || p.id), t.subject)
               ELSE t.subject END AS subject,
               t.pid, t.started_at, t.done,
               CASE t.task WHEN 'outbox' THEN t.done + due.operations WHEN 'mastering' THEN t.done + queued.jobs ELSE t.total END
                   AS total,
               CASE t.task WHEN 'outbox' THEN 'operations' WHEN 'mastering' THEN 'jobs' WHEN 'accounting' THEN 'pages'
                   WHEN 'policies' THEN 'rows' END AS unit
        FROM told t, due, queued
        UNION ALL
        SELECT a.task, a.subject, a.pid, a.started_at, a.done, a.total, 'objects' FROM audiostore.running_audits() a
        UNION ALL
        SELECT r.task, NULL, r.pid, r.started_at, NULL, NULL, NULL
        FROM audiostore.runs r
        WHERE r.finished_at IS NULL AND split_part(r.task, ':', 1) NOT IN (SELECT told.task FROM told)
          AND EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.pid = r.pid AND a.backend_start <= r.started_at))
    SELECT r.task, r.subject, r.pid, r.started_at, r.done, r.total, r.unit, s.rate,
           CASE WHEN s.rate > 0 AND r.total >= r.done
                     AND (r.total - r.done) / s.rate < 1e9 THEN make_interval(secs => round(((r.total - r.done) / s.rate)::numeric)::double precision)
           END AS time_left
    FROM running r
    CROSS JOIN LATERAL (
        SELECT r.done / nullif(extract(epoch FROM clock_timestamp() - r.started_at), 0)::double precision AS rate) s;
COMMENT ON VIEW audiostore.progress IS
    'What runs in this database now, in the worker or in CALL audiostore.run(): one row for a drain of the outbox, each policy, each audit, mastering, and the accounting. '
    'Without shared_preload_libraries only runs that are under way show, and audits, the runs without figures';
COMMENT ON COLUMN audiostore.progress.task IS 'outbox, policies, audits, mastering, accounting, or as in runs';
COMMENT ON COLUMN audiostore.progress.subject IS 'which policy or audit';
COMMENT ON COLUMN audiostore.progress.pid IS 'process that does it';
COMMENT ON COLUMN audiostore.progress.started_at IS 'when this drain, run or audit began';
COMMENT ON COLUMN audiostore.progress.done IS 'so far, in units';
COMMENT ON COLUMN audiostore.progress.total IS
    'done and what is known to be left; counts up to 10000 that are left of each store''s operations; NULL where nobody knows, as for policies';
COMMENT ON COLUMN audiostore.progress.unit IS 'operations (outbox), rows (policies), objects (audits), jobs (mastering), pages of tables (accounting)';
COMMENT ON COLUMN audiostore.progress.rate IS 'units per second since it began';
COMMENT ON COLUMN audiostore.progress.time_left IS 'at that rate; NULL where total is';
REVOKE ALL ON audiostore.progress FROM PUBLIC;
GRANT SELECT ON audiostore.progress TO pg_monitor;
