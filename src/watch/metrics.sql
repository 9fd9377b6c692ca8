-- Everything that a monitoring system wants to know, one row for each metric.
CREATE FUNCTION audiostore.metrics(family text DEFAULT NULL, OUT name text, OUT labels jsonb, OUT value double precision, OUT type text, OUT help text)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH worker AS (
        SELECT w.* FROM audiostore.workers() w
        JOIN pg_database d ON d.oid = w.database_oid AND d.datname = current_database()),
    stored AS (
        SELECT n.*, jsonb_build_object('store', n.store, 'provider', coalesce(n.provider, ''),
                                       'storage_class', n.storage_class) AS labels
        FROM audiostore.storage_now n),
    cache AS (
        SELECT sum(c.hits) AS hits, sum(c.misses) AS misses, sum(c.puts) AS puts, sum(c.expired) AS expired,
               sum(c.evicted) AS evicted
        FROM (SELECT hits, misses, puts, expired, evicted FROM audiostore.cache_counters
              UNION ALL
              SELECT hits, misses, puts, expired, evicted FROM audiostore.cache_unsaved_counters()) c),
    queue AS (SELECT q.*, jsonb_build_object('store', q.store) AS labels FROM audiostore.queue_figures q),
    run AS (SELECT r.*, jsonb_build_object('task', r.task) AS labels FROM audiostore.last_runs r)
    SELECT 'audiostore_build_info', jsonb_build_object('version', e.extversion), 1::double precision, 'gauge',
           'Always 1; the label tells the version of the extension.'
    FROM pg_extension e WHERE e.extname = 'audiostore' AND (family IS NULL OR family = 'worker')
    UNION ALL
    SELECT 'audiostore_worker_up', '{}', (audiostore.worker_state() = 'running')::integer, 'gauge',
           '1 when the worker of this database runs.'
    WHERE (family IS NULL OR family = 'worker')
    UNION ALL
    SELECT m.name, '{}', m.value, m.type, m.help
    FROM worker w CROSS JOIN LATERAL (VALUES
        ('audiostore_worker_start_timestamp_seconds', extract(epoch FROM w.started_at)::double precision, 'gauge',
         'When the worker was started; its counters begin there.'),
        ('audiostore_worker_last_step_timestamp_seconds', extract(epoch FROM w.last_step)::double precision, 'gauge',
         'When the worker last looked for work.'),
        ('audiostore_operations_done_total', w.operations_done::double precision, 'counter',
         'Operations on stores that were carried out.'),
        ('audiostore_operations_failed_total', w.operations_failed::double precision, 'counter',
         'Attempts that failed.'),
        ('audiostore_sent_bytes_total', w.bytes::double precision, 'counter', 'Bytes sent to stores.'))
        AS m(name, value, type, help)
    WHERE m.value IS NOT NULL AND (family IS NULL OR family = 'worker')
    UNION ALL
    SELECT m.name, q.labels, m.value, 'gauge', m.help
    FROM queue q CROSS JOIN LATERAL (VALUES
        ('audiostore_operations_pending', q.waiting::double precision,
         'Operations queued or under way; an estimate beyond 10000.'),
        ('audiostore_operations_dead', q.dead::double precision, 'Operations that were given up.'),
        ('audiostore_queue_age_seconds', q.age, 'How long the oldest operation has been due.'))
        AS m(name, value, help)
    WHERE (family IS NULL OR family = 'queue')
    UNION ALL
    SELECT m.name, s.labels || m.more, m.value, 'gauge', m.help
    FROM stored s CROSS JOIN LATERAL (VALUES
        ('audiostore_store_objects', '{}'::jsonb, s.objects::double precision, 'Live rows, as of the last accounting.'),
        ('audiostore_store_bytes', '{}', s.bytes::double precision, 'Their sizes, as of the last accounting.'),
        ('audiostore_store_cost_per_month', jsonb_build_object('currency', s.currency), s.monthly_cost::double precision,
         'What they cost in a month; missing where there is no price.'))
        AS m(name, more, value, help)
    WHERE m.value IS NOT NULL AND (family IS NULL OR family = 'store')
    UNION ALL
    SELECT 'audiostore_accounting_timestamp_seconds', '{}', extract(epoch FROM max(s.sampled_at))::double precision,
           'gauge', 'When the last accounting was: as old are the metrics of stores.'
    FROM stored s WHERE (family IS NULL OR family = 'store') HAVING count(*) > 0
    UNION ALL
    SELECT 'audiostore_' || m.name || '_total', '{}', coalesce(m.value, 0) + coalesce(c.value, 0)::double precision,
           'counter', m.help
    FROM cache CROSS JOIN LATERAL (VALUES
        ('cache_hits', cache.hits::double precision, 'Lookups of the audio cache that found an entry.'),
        ('cache_misses', cache.misses::double precision, 'Lookups of the audio cache that did not.'),
        ('cache_puts', cache.puts::double precision, 'Entries put into the audio cache.'),
        ('cache_expired', cache.expired::double precision, 'Entries removed after they had expired.'),
        ('cache_evicted', cache.evicted::double precision, 'Entries removed before that, for room.'))
        AS m(name, value, help)
    LEFT JOIN audiostore.counter_carries c ON c.name = m.name
    WHERE (family IS NULL OR family = 'cache')
    UNION ALL
    SELECT 'audiostore_cache_bytes', '{}', audiostore.cache_disk_bytes(), 'gauge', 'Size of the audio cache on disk.'
    WHERE (family IS NULL OR family = 'cache')
    UNION ALL
    SELECT 'audiostore_jobs_' || j.state, jsonb_build_object('job_type', j.job_type), count(*), 'gauge',
           CASE j.state WHEN 'pending' THEN 'Jobs that wait, counted up to 10000.' WHEN 'running' THEN 'Jobs under way.'
                        ELSE 'Jobs that were given up.' END
    FROM ((SELECT job_type, state FROM audiostore.jobs WHERE state = 'pending' LIMIT 10000)
          UNION ALL
          SELECT job_type, state FROM audiostore.jobs WHERE state = 'running'
          UNION ALL
          SELECT job_type, state FROM audiostore.jobs WHERE state = 'dead') j
    WHERE (family IS NULL OR family = 'jobs')
    GROUP BY j.job_type, j.state
    UNION ALL
    SELECT m.name, r.labels, m.value, 'gauge', m.help
    FROM run r CROSS JOIN LATERAL (VALUES
        ('audiostore_run_timestamp_seconds', extract(epoch FROM r.finished_at)::double precision,
         'When the last run of a task ended.'),
        ('audiostore_run_duration_seconds', extract(epoch FROM r.duration)::double precision, 'How long it took.'),
        ('audiostore_run_failed', (r.error IS NOT NULL)::integer::double precision, '1 when it failed.'))
        AS m(name, value, help)
    WHERE (family IS NULL OR family = 'runs')
    UNION ALL
    SELECT 'audiostore_policy_failures', jsonb_build_object('policy', p.id::text, 'kind', p.kind), p.failures, 'gauge',
           'Failed runs of a policy in a row.'
    FROM audiostore.policies p WHERE p.enabled AND (family IS NULL OR family = 'policies')
    UNION ALL
    SELECT 'audiostore_audit_failures', jsonb_build_object('store', a.store), a.failed, 'gauge',
           'Audits of a store that failed since the last one that did not.'
    FROM audiostore.audit_failures() a
    WHERE (family IS NULL OR family = 'audits')
    UNION ALL
    SELECT 'audiostore_alerts_open', jsonb_build_object('name', a.name), count(*), 'gauge', 'Open alerts.'
    FROM audiostore.alerts a WHERE a.cleared_at IS NULL AND (family IS NULL OR family = 'alerts') GROUP BY a.name
    UNION ALL
    SELECT m.name, m.labels::jsonb, m.value, 'gauge', m.help
    FROM (SELECT count(*) AS quotas, count(*) FILTER (WHERE used >= 0.9) AS near, count(*) FILTER (WHERE used > 1) AS over,
                 max(used) AS most
          FROM (SELECT (q.current_storage_bytes::double precision + q.reserved_bytes) / q.max_storage_bytes AS used
                FROM audiostore.storage_quotas q WHERE q.max_storage_bytes > 0) q) q
    CROSS JOIN LATERAL (VALUES
        ('audiostore_quota_workspaces', '{"used": "any"}', q.quotas::double precision, 'Workspaces with a limit of storage, by how much of it is used.'),
        ('audiostore_quota_workspaces', '{"used": "90%"}', q.near::double precision, 'Workspaces with a limit of storage, by how much of it is used.'),
        ('audiostore_quota_workspaces', '{"used": "exceeded"}', q.over::double precision, 'Workspaces with a limit of storage, by how much of it is used.'),
        ('audiostore_quota_used_ratio_max', '{}', q.most, 'The largest part of its storage limit that a workspace uses.'))
        AS m(name, labels, value, help)
    WHERE m.value IS NOT NULL AND (family IS NULL OR family = 'quotas')
$$;
COMMENT ON FUNCTION audiostore.metrics(text) IS
    'One row for each metric, with the names and base units that Prometheus users expect: name, labels (a flat object of strings), value, type (gauge or counter) and help. family restricts it to worker, queue, store, cache, jobs, runs, policies, audits, alerts or quotas, and does no more than these need. '
    'Made to be asked every few seconds: no tracked table is read. Objects, bytes and costs of stores are those of the last accounting (audiostore_accounting_timestamp_seconds says when, audiostore.accounting_interval how often); counters of the cache are folded every few seconds, what is not folded yet included; queues are counted up to 10000 operations for each store, and estimated from statistics beyond; everything else is as of now. '
    'Counters of the worker begin anew with the worker, the others never shrink. Security definer, so that EXECUTE, which pg_monitor has, is all that a role needs. docs/monitoring.md has a query file for prometheus-postgres-exporter';
REVOKE ALL ON FUNCTION audiostore.metrics(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audiostore.metrics(text) TO pg_monitor;
