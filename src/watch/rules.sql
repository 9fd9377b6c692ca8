-- Alerts that users ask for: a figure, a threshold, and what becomes of it.
CREATE TABLE audiostore.alert_rules (
    name text COLLATE "C" PRIMARY KEY CHECK (name <> '' AND length(name) <= 200),
    metric text COLLATE "C" NOT NULL,
    subject text COLLATE "C",
    above double precision CHECK (above < 'Infinity' AND above > '-Infinity'),
    below double precision CHECK (below < 'Infinity' AND below > '-Infinity'),
    hysteresis double precision CHECK (hysteresis >= 0 AND hysteresis < 'Infinity'),
    lasting interval NOT NULL DEFAULT '0' CHECK (lasting >= '0'),
    enabled boolean NOT NULL DEFAULT true,
    added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    added_by text NOT NULL DEFAULT session_user,
    CHECK (num_nonnulls(above, below) > 0 AND (below < above) IS NOT FALSE)
);
COMMENT ON TABLE audiostore.alert_rules IS
    'Thresholds that raise alerts: written by add_alert() and remove_alert(), may be updated. The worker looks every audiostore.alert_interval, and so does CALL audiostore.run(''accounting'')';
COMMENT ON COLUMN audiostore.alert_rules.name IS 'name of the rule, and of its alerts';
COMMENT ON COLUMN audiostore.alert_rules.metric IS 'which figure: one of alert_metrics()';
COMMENT ON COLUMN audiostore.alert_rules.subject IS 'of which store, workspace ...: see alert_metrics(); NULL: each of them by itself';
COMMENT ON COLUMN audiostore.alert_rules.above IS 'an alert while the figure is larger than this';
COMMENT ON COLUMN audiostore.alert_rules.below IS 'an alert while the figure is smaller than this';
COMMENT ON COLUMN audiostore.alert_rules.hysteresis IS
    'how far the figure has to come back from the threshold before the alert is cleared; NULL: 5 % of the threshold';
COMMENT ON COLUMN audiostore.alert_rules.lasting IS 'raised only when it has been so for this long, at every look';
COMMENT ON COLUMN audiostore.alert_rules.enabled IS 'false: not looked at, and its open alerts are cleared';
COMMENT ON COLUMN audiostore.alert_rules.added_at IS 'when it was added';
COMMENT ON COLUMN audiostore.alert_rules.added_by IS 'session user who added it';
SELECT pg_catalog.pg_extension_config_dump('audiostore.alert_rules', '');
REVOKE ALL ON audiostore.alert_rules FROM PUBLIC;
GRANT SELECT ON audiostore.alert_rules TO pg_monitor;

CREATE TABLE audiostore.alert_states (
    name text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    value double precision NOT NULL,
    crossed_at timestamptz NOT NULL,
    evaluated_at timestamptz NOT NULL,
    raised boolean NOT NULL,
    PRIMARY KEY (name, subject)
) WITH (fillfactor = 50);
COMMENT ON TABLE audiostore.alert_states IS 'Where rules stand that have crossed their threshold: a row goes when the figure is back. No part of a dump, as alerts';
COMMENT ON COLUMN audiostore.alert_states.name IS 'the rule';
COMMENT ON COLUMN audiostore.alert_states.subject IS 'the store, workspace ... that it is about; empty where the figure has none';
COMMENT ON COLUMN audiostore.alert_states.value IS 'the figure as last seen';
COMMENT ON COLUMN audiostore.alert_states.crossed_at IS 'since when it is beyond the threshold';
COMMENT ON COLUMN audiostore.alert_states.evaluated_at IS 'when it was looked at last';
COMMENT ON COLUMN audiostore.alert_states.raised IS 'its alert is open; false: not long enough yet';
REVOKE ALL ON audiostore.alert_states FROM PUBLIC;
GRANT SELECT ON audiostore.alert_states TO pg_monitor;

CREATE FUNCTION audiostore.alert_metrics(OUT metric text, OUT subject text, OUT unit text, OUT description text)
    RETURNS SETOF record
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    VALUES ('store_bytes', 'store', 'bytes', 'what is stored, all classes together, as of the last accounting'),
           ('store_objects', 'store', 'objects', 'the same in objects'),
           ('store_cost', 'store', 'currency units', 'what that costs in a month; no figure where a price is missing'),
           ('store_growth', 'store', 'bytes per day', 'trend of the last 7 days'),
           ('monthly_cost', NULL, 'currency units', 'what all stores cost in a month; no figure where a price is missing'),
           ('queue_length', 'store', 'operations', 'operations queued or under way'),
           ('queue_age', 'store', 'seconds', 'how long the oldest of them has been due'),
           ('dead_operations', 'store', 'operations', 'operations that were given up'),
           ('dead_jobs', 'job type', 'jobs', 'jobs that were given up'),
           ('cache_hit_rate', NULL, '0 to 1', 'hits by lookups of the audio cache, this hour and the last; no figure without lookups'),
           ('cache_bytes', NULL, 'bytes', 'size of the audio cache in the database'),
           ('quota_used', 'workspace id', '0 to 1', 'used and reserved storage by max_storage_bytes of storage_quotas'),
           ('policy_failures', 'policy id', 'runs', 'failed runs in a row'),
           ('failed_audits', 'store', 'runs', 'failed audits in a row'),
           ('failed_runs', 'task', 'runs', '1 when the last run of a task failed'),
           ('worker_down', NULL, '0 or 1', '1 when this database has no running worker, though audiostore.enabled is on: for CALL audiostore.run(''accounting'') by pg_cron, as a worker that is down looks at nothing')
$$;
COMMENT ON FUNCTION audiostore.alert_metrics() IS 'The figures that add_alert() knows: what their subject is (NULL: there is one figure for the database) and their unit';

CREATE FUNCTION audiostore.add_alert(name text, metric text, above double precision DEFAULT NULL,
        below double precision DEFAULT NULL, subject text DEFAULT NULL, lasting interval DEFAULT '0',
        hysteresis double precision DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF num_nulls(name, metric, lasting) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'name, metric and lasting must not be null';
    END IF;
    IF NOT EXISTS (SELECT FROM audiostore.alert_metrics() m WHERE m.metric = add_alert.metric) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('unknown metric "%s"', metric),
            HINT = format('Metrics are %s.', (SELECT string_agg(m.metric, ', ') FROM audiostore.alert_metrics() m));
    END IF;
    IF name IN ('', 'store_paused', 'rows_unreadable', 'dead_operation', 'policy_failed', 'accounting_failed')
       OR name LIKE 'audit\_%' OR length(name) > 200 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('invalid name of an alert "%s"', name),
            DETAIL = 'Names have 1 to 200 characters, and are none that the extension uses itself.';
    END IF;
    IF subject IS NOT NULL AND EXISTS (
            SELECT FROM audiostore.alert_metrics() m WHERE m.metric = add_alert.metric AND m.subject IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('metric "%s" has no subject', metric),
            DETAIL = 'There is one figure for the whole database.';
    END IF;
    IF num_nonnulls(above, below) = 0 OR below >= above THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('alert "%s" needs a threshold', name),
            HINT = 'Give above, below, or both with below the smaller one.';
    END IF;
    IF NOT (coalesce(above, 0) > '-Infinity' AND coalesce(above, 0) < 'Infinity' AND coalesce(below, 0) > '-Infinity'
            AND coalesce(below, 0) < 'Infinity' AND coalesce(hysteresis, 0) >= 0 AND coalesce(hysteresis, 0) < 'Infinity'
            AND lasting >= '0') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('a figure of alert "%s" is out of range', name),
            DETAIL = 'Thresholds are finite; hysteresis and lasting are not negative.';
    END IF;
    INSERT INTO audiostore.alert_rules AS r (name, metric, subject, above, below, hysteresis, lasting)
    VALUES (add_alert.name, add_alert.metric, add_alert.subject, add_alert.above, add_alert.below, add_alert.hysteresis,
            add_alert.lasting)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object', MESSAGE = format('alert "%s" exists already', name),
            HINT = 'Remove it first with audiostore.remove_alert(), or update audiostore.alert_rules.';
    END IF;
END
$$;
COMMENT ON FUNCTION audiostore.add_alert(text, text, double precision, double precision, text, interval, double precision) IS
    'From now on there is an alert (table alerts, NOTIFY audiostore_alerts) with this name while the figure metric of the subject is above or below a threshold, for at least as long as lasting says: raised once when it crosses, cleared once when it has come back by hysteresis (NULL: 5 % of the threshold), or when its subject is gone. '
    'subject names the store, workspace ... (NULL: each of them raises an alert of its own, whose subject says which); a figure that cannot be told changes nothing. Metrics are listed by alert_metrics(). '
    'Security definer, so that EXECUTE is all that a role needs. Errors: 22004 (NULL), 22023 (metric, thresholds, a name that the extension uses itself), 42710 (the name is taken)';

CREATE FUNCTION audiostore.remove_alert(name text, if_exists boolean DEFAULT false) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM audiostore.alert_rules r WHERE r.name = remove_alert.name;
    IF NOT FOUND THEN
        IF if_exists THEN RETURN false; END IF;
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('alert "%s" does not exist', name);
    END IF;
    PERFORM audiostore.evaluate_alerts();
    RETURN true;
END
$$;
COMMENT ON FUNCTION audiostore.remove_alert(text, boolean) IS
    'Removes a rule and clears its open alerts. Returns false when there is none and if_exists is true. Security definer, as add_alert(). Errors: 42704 (no such rule)';
REVOKE ALL ON FUNCTION audiostore.alert_metrics(),
    audiostore.add_alert(text, text, double precision, double precision, text, interval, double precision),
    audiostore.remove_alert(text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audiostore.alert_metrics() TO pg_monitor;
