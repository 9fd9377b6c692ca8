-- Watching: thresholds, metrics, progress, and a history that stays short.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
CREATE SERVER w_media FOREIGN DATA WRAPPER audiostore OPTIONS (provider 's3', bucket 'watching', region 'us-east-1',
    endpoint 'http://127.0.0.1:9', addressing 'path');
CREATE SERVER w_other FOREIGN DATA WRAPPER audiostore OPTIONS (provider 's3', bucket 'watching-2', region 'us-east-1',
    endpoint 'http://127.0.0.1:9', addressing 'path');
CREATE USER MAPPING FOR PUBLIC SERVER w_media OPTIONS (access_key_id 'k', secret_access_key 's');
CREATE USER MAPPING FOR PUBLIC SERVER w_other OPTIONS (access_key_id 'k', secret_access_key 's');
CREATE SCHEMA watching;
SET search_path = watching, public;
CREATE TABLE tracks (path text, size bigint);
SELECT audiostore.track('tracks', 'path', store => 'w_media', size_column => 'size');
CREATE VIEW w_alerts AS
    SELECT name, subject, message, times, cleared_at IS NULL AS open FROM audiostore.alerts WHERE name LIKE 'w %' ORDER BY id;

-- What cannot be.
\set SHOW_CONTEXT never
SELECT audiostore.add_alert('w x', 'no_such_metric', above => 1);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
SELECT audiostore.add_alert('w x', 'queue_age');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.add_alert('w x', 'queue_age', above => 1, below => 2);
SELECT audiostore.add_alert('w x', 'queue_age', above => 'NaN');
SELECT audiostore.add_alert('w x', 'queue_age', above => 1, lasting => '-1 second');
SELECT audiostore.add_alert('w x', 'queue_age', above => 1, hysteresis => -1);
SELECT audiostore.add_alert('w x', 'cache_hit_rate', below => 0.5, subject => 'w_media');
SELECT audiostore.add_alert('store_paused', 'queue_age', above => 1);
SELECT audiostore.add_alert('', 'queue_age', above => 1);
SELECT audiostore.add_alert(NULL, 'queue_age', above => 1);
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.remove_alert('w x');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.remove_alert('w x', if_exists => true);
\set VERBOSITY default

-- A figure crosses, stays, comes back a little, comes back.
SELECT audiostore.add_alert('w full', 'store_bytes', above => 1000, subject => 'w_media');
\set VERBOSITY terse
SELECT audiostore.add_alert('w full', 'store_bytes', above => 1000);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
INSERT INTO tracks VALUES ('t/1', 1000);
CALL audiostore.run('accounting');
TABLE w_alerts;
INSERT INTO tracks VALUES ('t/2', 1);
CALL audiostore.run('accounting');
TABLE w_alerts;
CALL audiostore.run('accounting');
UPDATE tracks SET size = 960 WHERE path = 't/1';   -- below the threshold, but not by 5 % of it
CALL audiostore.run('accounting');
SELECT value, raised FROM audiostore.alert_states WHERE name = 'w full';
TABLE w_alerts;
UPDATE tracks SET size = 949 WHERE path = 't/1';
CALL audiostore.run('accounting');
TABLE w_alerts;
SELECT count(*) FROM audiostore.alert_states WHERE name = 'w full';
UPDATE tracks SET size = 5000 WHERE path = 't/1';
CALL audiostore.run('accounting');
TABLE w_alerts;
-- Whoever removes a rule is not left with its alert.
SELECT audiostore.remove_alert('w full');
TABLE w_alerts;
DELETE FROM audiostore.alerts WHERE name LIKE 'w %';

-- Without a subject each store has its own; one that is gone is no alert.
SELECT audiostore.add_alert('w many', 'queue_length', above => 2);
SELECT count(audiostore.delete_object(s, 'w/' || n)) AS queued FROM generate_series(1, 3) n, unnest('{w_media,w_other}'::name[]) s \gset
SELECT audiostore.evaluate_alerts();
SELECT audiostore.evaluate_alerts();
TABLE w_alerts;
SELECT count(audiostore.cancel_operation(id)) AS cancelled FROM audiostore.operations WHERE store = 'w_other' \gset
DROP SERVER w_other CASCADE;
SELECT audiostore.evaluate_alerts();
TABLE w_alerts;
UPDATE audiostore.alert_rules SET enabled = false WHERE name = 'w many';
SELECT audiostore.evaluate_alerts();
TABLE w_alerts;
DELETE FROM audiostore.alerts WHERE name LIKE 'w %';

-- Below, lasting, and figures that nobody can tell.
SELECT audiostore.add_alert('w idle', 'queue_length', below => 4, subject => 'w_media', lasting => '1 hour');
SELECT audiostore.add_alert('w cold', 'store_growth', below => 1e18, subject => 'w_media');   -- not known yet
SELECT audiostore.evaluate_alerts();
SELECT name, value, raised FROM audiostore.alert_states WHERE name = 'w idle';
UPDATE audiostore.alert_states SET crossed_at = crossed_at - interval '2 hours' WHERE name = 'w idle';
SELECT audiostore.evaluate_alerts();
TABLE w_alerts;
SELECT audiostore.remove_alert(name) FROM audiostore.alert_rules WHERE name LIKE 'w %' ORDER BY name;
SELECT * FROM audiostore.alert_states WHERE name LIKE 'w %';

-- Deletes of a large statement count one by one.
INSERT INTO tracks SELECT 'many/' || n, 0 FROM generate_series(1, 3000) n;
DELETE FROM tracks WHERE path LIKE 'many/%';
SELECT * FROM audiostore.alert_values('{queue_length}') WHERE subject = 'w_media';
SELECT count(audiostore.cancel_operation(id)) FROM audiostore.operations WHERE store = 'w_media' AND key LIKE 'many/%';

-- Every metric that alerts may use has a figure, or none to tell.
SELECT metric, value FROM audiostore.alert_values(ARRAY(SELECT metric FROM audiostore.alert_metrics()))
WHERE subject = 'w_media' AND metric <> 'queue_age' ORDER BY 1;
SELECT metric, value > 0 AS due FROM audiostore.alert_values('{queue_age}') WHERE subject = 'w_media';
SELECT * FROM audiostore.alert_values('{}');
SELECT DISTINCT metric FROM audiostore.alert_values(ARRAY(SELECT metric FROM audiostore.alert_metrics()))
EXCEPT SELECT metric FROM audiostore.alert_metrics();

-- Metrics: names, units and labels as Prometheus has them.
SELECT name, labels, value, type FROM audiostore.metrics()
WHERE labels ->> 'store' = 'w_media' AND name <> 'audiostore_queue_age_seconds' ORDER BY 1;
SELECT name, type FROM audiostore.metrics() WHERE type NOT IN ('gauge', 'counter') OR (type = 'counter') <> (name LIKE '%\_total')
    OR name !~ '^audiostore_[a-z_]+$' OR help !~ '\.$' OR value IS NULL OR jsonb_typeof(labels) <> 'object';
SELECT name, labels FROM audiostore.metrics() GROUP BY 1, 2 HAVING count(*) > 1;
SELECT name FROM audiostore.metrics() GROUP BY 1 HAVING count(DISTINCT type) > 1 OR count(DISTINCT help) > 1;
-- What is counted and no longer remembered hour by hour still counts.
SELECT value AS hits FROM audiostore.metrics() WHERE name = 'audiostore_cache_hits_total' \gset
INSERT INTO audiostore.cache_counters (hour, hits, misses) VALUES (date_trunc('hour', now()) - interval '10 years', 7, 3);
SELECT value - :hits AS more FROM audiostore.metrics() WHERE name = 'audiostore_cache_hits_total';
CALL audiostore.run('expiry');
SELECT count(*) FROM audiostore.cache_counters WHERE hour < now() - interval '1 year';
SELECT value - :hits AS more FROM audiostore.metrics() WHERE name = 'audiostore_cache_hits_total';
SELECT * FROM audiostore.counter_carries ORDER BY 1;
DELETE FROM audiostore.counter_carries;

-- What runs now is in progress, what a lost process had begun is not.
INSERT INTO audiostore.runs (task, pid, started_at) VALUES ('test: under way', pg_backend_pid(), clock_timestamp()), ('test: lost', 1, clock_timestamp());
SELECT task, subject, pid = pg_backend_pid() AS here, done, total, unit, rate, time_left FROM audiostore.progress WHERE task LIKE 'test%';

-- The history is short for each task, by itself.
INSERT INTO audiostore.runs (task, started_at, finished_at, rows, bytes)
SELECT 'test: many', now(), now(), n, 0 FROM generate_series(1, 1500) n
UNION ALL SELECT 'test: few', now(), now(), n, 0 FROM generate_series(1, 3) n;
CALL audiostore.run('expiry');
SELECT task, count(*), max(rows) FROM audiostore.runs WHERE task LIKE 'test: %' AND finished_at IS NOT NULL GROUP BY 1 ORDER BY 1;
SELECT task, rows, error FROM audiostore.last_runs WHERE task LIKE 'test: %' ORDER BY 1;
INSERT INTO audiostore.runs (task, started_at, finished_at, rows, bytes, error) VALUES ('test: few', now(), now(), 0, 0, 'it failed');
SELECT * FROM audiostore.alert_values('{failed_runs}') WHERE subject LIKE 'test%' ORDER BY 2;

-- Who may.
CREATE ROLE regress_w_nobody;
CREATE ROLE regress_w_monitor IN ROLE pg_monitor;
SET ROLE regress_w_nobody;
\set VERBOSITY terse
SELECT count(*) FROM audiostore.metrics();
SELECT count(*) FROM audiostore.progress;
SELECT audiostore.add_alert('w x', 'queue_age', above => 1);
SELECT audiostore.remove_alert('w x');
SELECT audiostore.evaluate_alerts();
SELECT count(*) FROM audiostore.alert_values('{}');
RESET ROLE;
SET ROLE regress_w_monitor;
SELECT count(*) > 10 AS seen FROM audiostore.metrics();
SELECT count(*) > 0 AS seen FROM audiostore.progress;
SELECT count(*) FROM audiostore.alert_rules;
SELECT count(*) > 0 AS seen FROM audiostore.alert_values('{queue_length,cache_bytes,failed_audits,worker_down}');
SELECT audiostore.add_alert('w x', 'queue_age', above => 1);
RESET ROLE;
GRANT EXECUTE ON FUNCTION audiostore.add_alert(text, text, double precision, double precision, text, interval, double precision),
    audiostore.remove_alert(text, boolean) TO regress_w_nobody;
SET ROLE regress_w_nobody;
SELECT audiostore.add_alert('w theirs', 'queue_length', above => 1);
SELECT audiostore.remove_alert('w theirs');
RESET ROLE;
\set VERBOSITY default

SET client_min_messages = warning;
DELETE FROM audiostore.runs WHERE task LIKE 'test: %';
DROP SCHEMA watching CASCADE;
SELECT count(audiostore.cancel_operation(id)) AS cancelled FROM audiostore.operations WHERE store LIKE 'w\_%' \gset
DELETE FROM audiostore.alerts WHERE name LIKE 'w %';
DELETE FROM audiostore.storage_samples;
REVOKE ALL ON FUNCTION audiostore.add_alert(text, text, double precision, double precision, text, interval, double precision),
    audiostore.remove_alert(text, boolean) FROM regress_w_nobody;
DROP SERVER w_media CASCADE;
DROP ROLE regress_w_nobody, regress_w_monitor;
