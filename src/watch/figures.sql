-- The figures that alerts and metrics are made of, each cheap enough to be asked every few seconds: what is stored comes
-- from the last samples, queues are counted up to a limit, the rest are counters and small tables.
CREATE TABLE audiostore.counter_carries (
    name text COLLATE "C" PRIMARY KEY,
    value numeric NOT NULL
);
COMMENT ON TABLE audiostore.counter_carries IS
    'What was counted by rows of cache_counters that are gone: counters of metrics() begin with it, so that they never shrink';
COMMENT ON COLUMN audiostore.counter_carries.name IS 'the counter';
COMMENT ON COLUMN audiostore.counter_carries.value IS 'what was counted';
SELECT pg_catalog.pg_extension_config_dump('audiostore.counter_carries', '');
REVOKE ALL ON audiostore.counter_carries FROM PUBLIC;
GRANT SELECT ON audiostore.counter_carries TO pg_monitor;

CREATE VIEW audiostore.queue_figures AS
    SELECT s.store,
           p.waiting + CASE WHEN w.n <= 10000 THEN w.n
                            ELSE greatest(w.n, pg_catalog.pg_stat_get_live_tuples('audiostore.operation_rows'::regclass)) END
               AS waiting,
           p.dead + d.n AS dead,
           CASE WHEN least(m.due, p.due) <= clock_timestamp()
                THEN extract(epoch FROM clock_timestamp() - least(m.due, p.due)) ELSE 0 END::double precision AS age
    FROM audiostore.store_classes s
    CROSS JOIN LATERAL (SELECT count(*) AS n FROM (
        SELECT FROM audiostore.operation_rows o WHERE o.store = s.store AND o.not_before < 'infinity' LIMIT 10001) few) w
    CROSS JOIN LATERAL (SELECT count(*) AS n FROM (
        SELECT FROM audiostore.operation_rows o WHERE o.store = s.store AND o.not_before = 'infinity' LIMIT 10000) few) d
    CROSS JOIN LATERAL (SELECT min(o.not_before) AS due FROM audiostore.operation_rows o WHERE o.store = s.store) m
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(k.key_count - h.n) FILTER (WHERE k.not_before < 'infinity'), 0)::bigint AS waiting,
               coalesce(sum(k.key_count - h.n) FILTER (WHERE k.not_before = 'infinity'), 0)::bigint AS dead,
               min(k.not_before) FILTER (WHERE k.key_count > h.n) AS due
        FROM audiostore.operation_packs k
        CROSS JOIN LATERAL (SELECT count(DISTINCT h.id) AS n FROM audiostore.operation_holes h
                            WHERE h.id >= k.id AND h.id < k.id + k.key_count) h
        WHERE k.store = s.store) p;
COMMENT ON VIEW audiostore.queue_figures IS 'The outbox by store, counted as far as an index makes it cheap';
COMMENT ON COLUMN audiostore.queue_figures.waiting IS
    'operations queued or under way; exact up to 10000 rows of operation_rows, beyond that the statistics'' estimate of all of them; deletes in packs are counted exactly';
COMMENT ON COLUMN audiostore.queue_figures.dead IS 'operations that were given up, counted up to 10000';
COMMENT ON COLUMN audiostore.queue_figures.age IS
    'seconds for which the one that has been due for longest has waited; 0 when none is due: what waits for delete_grace or for its next attempt is not';
REVOKE ALL ON audiostore.queue_figures FROM PUBLIC;
GRANT SELECT ON audiostore.queue_figures TO pg_monitor;

CREATE VIEW audiostore.last_runs AS
    WITH RECURSIVE tasks AS (
        (SELECT r.task FROM audiostore.runs r ORDER BY r.task LIMIT 1)
        UNION ALL
        SELECT (SELECT r.task FROM audiostore.runs r WHERE r.task > t.task ORDER BY r.task LIMIT 1)
        FROM tasks t WHERE t.task IS NOT NULL)
    SELECT l.* FROM tasks t
    CROSS JOIN LATERAL (
        SELECT r.id, r.task, r.started_at, r.finished_at, r.duration, r.rows, r.bytes, r.error, r.pid
        FROM audiostore.runs r WHERE r.task = t.task AND r.finished_at IS NOT NULL ORDER BY r.finished_at DESC, r.id DESC LIMIT 1) l;
COMMENT ON VIEW audiostore.last_runs IS 'The last finished run of each task in runs';
REVOKE ALL ON audiostore.last_runs FROM PUBLIC;
GRANT SELECT ON audiostore.last_runs TO pg_monitor;

CREATE VIEW audiostore.cache_recent AS
    SELECT coalesce(sum(c.hits), 0)::bigint AS hits, coalesce(sum(c.misses), 0)::bigint AS misses,
           sum(c.hits) / nullif(sum(c.hits + c.misses), 0)::double precision AS hit_rate
    FROM (SELECT hits, misses FROM audiostore.cache_counters
          WHERE hour >= date_trunc('hour', clock_timestamp()) - interval '1 hour'
          UNION ALL
          SELECT hits, misses FROM audiostore.cache_unsaved_counters()) c;
COMMENT ON VIEW audiostore.cache_recent IS 'Lookups of the audio cache in this hour and the last one; hit_rate is NULL without lookups';
REVOKE ALL ON audiostore.cache_recent FROM PUBLIC;
GRANT SELECT ON audiostore.cache_recent TO pg_monitor;

CREATE FUNCTION audiostore.cache_disk_bytes() RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(pg_total_relation_size(i.inhrelid)), 0)::bigint
    FROM pg_inherits i WHERE i.inhparent = 'audiostore.audio_chunk_cache'::regclass
$$;
COMMENT ON FUNCTION audiostore.cache_disk_bytes() IS 'What the audio cache takes on disk: tables, indexes and what is free in them';
REVOKE ALL ON FUNCTION audiostore.cache_disk_bytes() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audiostore.cache_disk_bytes() TO pg_monitor;

CREATE FUNCTION audiostore.audit_failures(OUT store text, OUT failed bigint) RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.store, count(*) FILTER (WHERE a.state = 'failed' AND a.id > coalesce(d.last, 0))
    FROM audiostore.audits a
    LEFT JOIN (SELECT store, max(id) AS last FROM audiostore.audits WHERE state = 'done' GROUP BY store) d USING (store)
    GROUP BY a.store
$$;
COMMENT ON FUNCTION audiostore.audit_failures() IS 'For each store that was audited: audits that failed since the last one that did not';
REVOKE ALL ON FUNCTION audiostore.audit_failures() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audiostore.audit_failures() TO pg_monitor;

CREATE FUNCTION audiostore.alert_values(metrics text[], OUT metric text, OUT subject text, OUT value double precision)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.metric, f.subject, f.value
    FROM (
        SELECT c.store,
               coalesce(sum(n.bytes), 0)::double precision AS bytes, coalesce(sum(n.objects), 0)::double precision AS objects,
               CASE WHEN count(*) FILTER (WHERE n.objects > 0 AND n.monthly_cost IS NULL) = 0
                         AND count(DISTINCT n.currency) FILTER (WHERE n.objects > 0) <= 1
                    THEN coalesce(sum(n.monthly_cost), 0) END::double precision AS cost
        FROM audiostore.store_classes c LEFT JOIN audiostore.storage_now n ON n.store = c.store
        WHERE metrics && '{store_bytes,store_objects,store_cost}'
        GROUP BY c.store) s
    CROSS JOIN LATERAL (VALUES ('store_bytes', s.store, s.bytes), ('store_objects', s.store, s.objects),
                               ('store_cost', s.store, s.cost)) AS f(metric, subject, value)
    WHERE f.metric = ANY (metrics)
    UNION ALL
    SELECT 'store_growth', t.store, sum(t.bytes_per_day)
    FROM audiostore.storage_growth_trend('7 days', '{0}') t
    WHERE 'store_growth' = ANY (metrics) GROUP BY t.store
    UNION ALL
    SELECT 'monthly_cost', NULL,
           CASE WHEN count(*) FILTER (WHERE n.objects > 0 AND n.monthly_cost IS NULL) = 0
                     AND count(DISTINCT n.currency) FILTER (WHERE n.objects > 0) <= 1
                THEN sum(n.monthly_cost) END::double precision
    FROM audiostore.storage_now n WHERE 'monthly_cost' = ANY (metrics) HAVING 'monthly_cost' = ANY (metrics)
    UNION ALL
    SELECT f.metric, f.subject, f.value
    FROM audiostore.queue_figures q
    CROSS JOIN LATERAL (VALUES ('queue_length', q.store, q.waiting::double precision),
                               ('queue_age', q.store, q.age),
                               ('dead_operations', q.store, q.dead::double precision)) AS f(metric, subject, value)
    WHERE metrics && '{queue_length,queue_age,dead_operations}' AND f.metric = ANY (metrics)
    UNION ALL
    SELECT 'dead_jobs', j.job_type, count(*) FROM audiostore.jobs j
    WHERE j.state = 'dead' AND 'dead_jobs' = ANY (metrics) GROUP BY j.job_type
    UNION ALL
    SELECT 'cache_hit_rate', NULL, c.hit_rate FROM audiostore.cache_recent c WHERE 'cache_hit_rate' = ANY (metrics)
    UNION ALL
    SELECT 'cache_bytes', NULL, audiostore.cache_disk_bytes() WHERE 'cache_bytes' = ANY (metrics)
    UNION ALL
    SELECT 'quota_used', q.workspace_id::text, (q.current_storage_bytes::double precision + q.reserved_bytes) / q.max_storage_bytes
    FROM audiostore.storage_quotas q WHERE 'quota_used' = ANY (metrics) AND q.max_storage_bytes > 0
    UNION ALL
    SELECT 'policy_failures', p.id::text, p.failures FROM audiostore.policies p
    WHERE 'policy_failures' = ANY (metrics) AND p.enabled
    UNION ALL
    SELECT 'failed_audits', a.store, a.failed FROM audiostore.audit_failures() a WHERE 'failed_audits' = ANY (metrics)
    UNION ALL
    SELECT 'failed_runs', r.task, CASE WHEN r.error IS NULL THEN 0 ELSE 1 END FROM audiostore.last_runs r
    WHERE 'failed_runs' = ANY (metrics)
    UNION ALL
    SELECT 'worker_down', NULL, CASE WHEN audiostore.worker_state() IN ('running', 'starting', 'disabled') THEN 0 ELSE 1 END
    WHERE 'worker_down' = ANY (metrics)
$$;
COMMENT ON FUNCTION audiostore.alert_values(text[]) IS
    'The figures of these metrics of alert_metrics() as they are now, one row for each subject; NULL: it cannot be told. '
    'What is stored, and its cost, is as old as the last accounting (storage_now.sampled_at), cache figures as the last folding at most. Security definer, as it counts rows of tables that pg_monitor may not read';
REVOKE ALL ON FUNCTION audiostore.alert_values(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audiostore.alert_values(text[]) TO pg_monitor;

CREATE FUNCTION audiostore.evaluate_alerts() RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_evaluate_alerts';
COMMENT ON FUNCTION audiostore.evaluate_alerts() IS
    'Looks at every rule of alert_rules now, as the worker does every audiostore.alert_interval. Returns how many alerts were raised or cleared';
REVOKE ALL ON FUNCTION audiostore.evaluate_alerts() FROM PUBLIC;
