-- Money: what storage costs, would cost, and where it is going.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
SELECT current_setting('data_directory') || '/regress-cost' AS root,
       'cat >/dev/null; mkdir -p "' || current_setting('data_directory') || '/regress-cost"' AS make_root \gset
COPY (SELECT 1) TO PROGRAM :'make_root';
CREATE SERVER cost_local FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root');
CREATE SERVER cost_s3 FOREIGN DATA WRAPPER audiostore OPTIONS (provider 's3', bucket 'cost', region 'us-east-1', endpoint 'http://127.0.0.1:9', addressing 'path');
CREATE SERVER cost_cold FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 's3', bucket 'cold', region 'us-east-1', endpoint 'http://127.0.0.1:9', addressing 'path',
        storage_class 'GLACIER');
CREATE SCHEMA cost;
SET search_path = cost, public;

-- The example: 100 conversations of 10 minutes a day at 4 kB/s. 240 MB a day, 7.2 GB a month, 1.22 + 0.14 = 1.36.
SELECT item, bytes, gb, price_per_gb_month, monthly_cost, currency, note FROM audiostore.estimate_storage_cost();
-- What a cache of five minutes really holds, and a colder archive.
SELECT item, bytes, monthly_cost, note FROM audiostore.estimate_storage_cost(cache_ttl => '5 minutes', storage_class => 'coldline');
SELECT item, bytes, monthly_cost FROM audiostore.estimate_storage_cost(conversations_per_day => 0);
SELECT item, monthly_cost, note FROM audiostore.estimate_storage_cost(provider => 'azure', storage_class => 'HOT');
\set VERBOSITY terse
SELECT * FROM audiostore.estimate_storage_cost(days => -1);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM audiostore.estimate_storage_cost(bytes_per_second => 'NaN');
SELECT * FROM audiostore.estimate_storage_cost(days => NULL);
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default

-- 24 segments an hour: 576 a day, 2.88 GB a day, 20 GB a week when everything is kept, 10 GB with retention.
SELECT scenario, horizon_days, segments, raw_bytes, final_bytes, bytes, gb
FROM audiostore.storage_growth_forecast() WHERE scenario <> 'measured trend';
SELECT scenario, horizon_days, bytes, monthly_cost
FROM audiostore.storage_growth_forecast(bytes_per_minute => 10600000, raw_kept => NULL, final_kept => '90 days', horizons => '{30,120}',
    price_per_gb_month => 0.02) WHERE scenario <> 'measured trend';
\set VERBOSITY terse
SELECT * FROM audiostore.storage_growth_forecast(raw_share => 1.5);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM audiostore.storage_growth_forecast(horizons => '{-1}');
SELECT * FROM audiostore.storage_growth_forecast(hours_per_day => NULL);
\set VERBOSITY default

-- Prices: one's own go before those that come with the extension, and a store's before its provider's.
SELECT provider, storage_class, price_per_gb_month, minimum_days, minimum_billable_bytes, source
FROM audiostore.storage_prices WHERE provider IN ('postgresql', 'gcs') ORDER BY 1, 2;
SELECT * FROM audiostore.storage_price('cost_s3');
SELECT * FROM audiostore.storage_price('cost_cold');
SELECT * FROM audiostore.storage_price('cost_s3', 'standard_ia');
SELECT * FROM audiostore.storage_price('cost_local');
SELECT * FROM audiostore.storage_price('cost_s3', 'no_such_class');
SELECT * FROM audiostore.storage_price('nowhere');
BEGIN;
INSERT INTO audiostore.storage_prices (provider, storage_class, price_per_gb_month) VALUES ('s3', 'STANDARD', 0.02);
INSERT INTO audiostore.storage_prices (provider, storage_class, store, price_per_gb_month, currency) VALUES ('s3', 'STANDARD', 'cost_s3', 0.01, 'EUR');
UPDATE audiostore.storage_prices SET price_per_gb_month = 0.5 WHERE provider = 's3' AND storage_class = 'GLACIER';
SELECT price_per_gb_month, currency, reason FROM audiostore.storage_price('cost_s3');
SELECT price_per_gb_month, currency FROM audiostore.storage_price('cost_cold', 'STANDARD');
SELECT provider, storage_class, store, built_in FROM audiostore.storage_prices
WHERE provider = 's3' AND storage_class IN ('STANDARD', 'GLACIER') ORDER BY 1, 2, 3;
\set VERBOSITY terse
INSERT INTO audiostore.storage_prices (provider, storage_class, price_per_gb_month) VALUES ('s3', 'STANDARD', 1);
ROLLBACK;
INSERT INTO audiostore.storage_prices (provider, price_per_gb_month) VALUES ('s3', -1);
INSERT INTO audiostore.storage_prices (provider, storage_class) VALUES ('s3', 'lower');
INSERT INTO audiostore.storage_prices (provider, currency) VALUES ('s3', 'dollars');
INSERT INTO audiostore.storage_prices (provider, price_per_gb_month) VALUES ('s3', 'NaN');
\set VERBOSITY default

-- What the rows say is stored: by store and class, live rows only, and with the price.
CREATE TABLE tracks (id integer PRIMARY KEY, path text, size bigint, status text NOT NULL DEFAULT 'ok', storage_class text, store text);
SELECT audiostore.track('tracks', 'path', store_column => 'store', size_column => 'size', live_when => $$status <> 'deleted'$$);
INSERT INTO tracks SELECT n, 'a/' || n, 1000000000, 'ok', NULL, 'cost_s3' FROM generate_series(1, 10) n;
INSERT INTO tracks SELECT n, 'a/' || n, 1000, 'ok', 'standard_ia', 'cost_s3' FROM generate_series(11, 20) n;
INSERT INTO tracks SELECT n, 'a/' || n, 1000000000, 'ok', '', 'cost_cold' FROM generate_series(21, 25) n;
INSERT INTO tracks VALUES (30, 'a/30', 5, 'deleted', NULL, 'cost_s3'), (31, NULL, 5, 'ok', NULL, 'cost_s3'), (32, '', 5, 'ok', NULL, 'cost_s3'),
    (33, 'a/33', 5, 'ok', NULL, NULL);
CREATE TABLE notes (path varchar(100)) PARTITION BY HASH (path);
CREATE TABLE notes_0 PARTITION OF notes FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE notes_1 PARTITION OF notes FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT audiostore.track('notes', 'path', store => 'cost_local');
INSERT INTO notes SELECT 'n/' || n FROM generate_series(1, 100) n;
SELECT * FROM audiostore.storage_cost() WHERE store LIKE 'cost%' ORDER BY 1, 3;
SELECT relation, key_column, store, storage_class, objects, bytes, unsized, padded, error
FROM audiostore.tracked_usage('{2000,3000}') WHERE relation IN ('tracks'::regclass, 'notes'::regclass) ORDER BY 1, 3, 4;
SELECT (SELECT sum(objects) FROM audiostore.tracked_usage()) = objects AS objects, (SELECT sum(bytes) FROM audiostore.tracked_usage()) = bytes AS bytes
FROM audiostore.tracked_totals();
INSERT INTO audiostore.storage_prices (provider, price_per_gb_month, source) VALUES ('local', 0.03, 'our disks');
SELECT store, storage_class, objects, bytes, billable_bytes, price_per_gb_month, monthly_cost, reason FROM audiostore.storage_cost() WHERE store = 'cost_local';

-- A table that cannot be counted says so, and hides nothing of the others.
CREATE TABLE broken (path text, n integer);
SELECT audiostore.track('broken', 'path', store => 'cost_cold', live_when => '1 / n > 0');
ALTER TABLE broken DISABLE TRIGGER USER;
INSERT INTO broken VALUES ('b/1', 0);
SELECT store, objects, reason FROM audiostore.storage_cost() WHERE store LIKE 'cost%' OR store IS NULL ORDER BY 1, objects;

-- The accounting writes that down, piece by piece; a store of which something cannot be counted is left out.
CALL audiostore.run('accounting');
SELECT store, storage_class, provider, objects, bytes, billable_bytes, round(monthly_cost, 6) AS monthly_cost, currency, reason
FROM audiostore.storage_now WHERE store LIKE 'cost%' ORDER BY 1, 2;
SELECT name, subject, message, cleared_at IS NULL AS open FROM audiostore.alerts WHERE name = 'accounting_failed';
SELECT task, rows = (SELECT sum(objects) FROM audiostore.storage_now) AS rows, error FROM audiostore.runs WHERE task = 'accounting' ORDER BY id DESC LIMIT 1;
TRUNCATE broken;
DELETE FROM tracks WHERE storage_class = 'standard_ia';
CALL audiostore.run('accounting');
SELECT store, storage_class, objects, bytes FROM audiostore.storage_now WHERE store LIKE 'cost%' ORDER BY 1, 2;
SELECT cleared_at IS NULL AS open FROM audiostore.alerts WHERE name = 'accounting_failed';
-- What is empty gets its 0 once; and nothing is counted twice within the interval by a run of all that is due.
CALL audiostore.run('accounting');
SELECT count(*), min(objects) FROM audiostore.storage_samples WHERE store = 'cost_s3' AND storage_class = 'STANDARD_IA';
SELECT count(audiostore.cancel_operation(id)) AS cancelled FROM audiostore.operations WHERE store LIKE 'cost%' \gset
SELECT count(*) AS samples FROM audiostore.storage_samples \gset
CALL audiostore.run();
SELECT count(*) = :samples AS not_due FROM audiostore.storage_samples;

-- The trend: a store that grew by 1 GB and 10 objects a day, another that shrinks to nothing, one with a single sample.
DELETE FROM audiostore.storage_samples;
INSERT INTO audiostore.storage_samples (store, storage_class, sampled_at, provider, objects, bytes, billable_bytes)
SELECT 'cost_s3', 'STANDARD', now() - n * interval '1 day', 's3', 1000 - 10 * n, 100000000000 - 1000000000::bigint * n, 100000000000 - 1000000000::bigint * n
FROM generate_series(0, 20) n
UNION ALL SELECT 'cost_local', 'STANDARD', now() - n * interval '1 day', 'local', n + 1, n * 1000, n * 1000 FROM generate_series(0, 10) n
UNION ALL SELECT 'cost_cold', 'GLACIER', now(), 's3', 1, 1000, 1000;
SELECT store, storage_class, samples, bytes, round(bytes_per_day) AS bytes_per_day, round(objects_per_day) AS objects_per_day, round(r2::numeric, 6) AS r2,
       horizon_days, forecast_bytes, forecast_objects, round(forecast_cost, 2) AS forecast_cost, currency, note
FROM audiostore.storage_growth_trend() ORDER BY 1, 2, 8;
SELECT * FROM audiostore.storage_growth_forecast(horizons => '{30,365}') WHERE scenario = 'measured trend';
SELECT count(*) FROM audiostore.storage_growth_trend(since => '-1 day', horizons => '{1}');

-- Samples thin out: one a day after a week, none after 400 days.
INSERT INTO audiostore.storage_samples (store, storage_class, sampled_at, provider, objects, bytes, billable_bytes)
SELECT 'thin', 'STANDARD', date_trunc('day', now()) - interval '10 days' + n * interval '1 hour', 's3', n, n, n FROM generate_series(0, 47) n
UNION ALL SELECT 'thin', 'STANDARD', now() - interval '401 days', 's3', 1, 1, 1
UNION ALL SELECT 'thin', 'STANDARD', now() - n * interval '1 hour', 's3', 1, 1, 1 FROM generate_series(1, 20) n;
CALL audiostore.run('expiry');
SELECT date_trunc('day', now())::date - sampled_at::date AS days_ago, array_agg(objects ORDER BY sampled_at) AS objects
FROM audiostore.storage_samples WHERE store = 'thin' AND objects > 1 GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM audiostore.storage_samples WHERE store = 'thin';

-- Who may: everybody knows the prices, pg_monitor the figures, and only the owner changes them.
CREATE ROLE regress_cost_nobody;
CREATE ROLE regress_cost_monitor IN ROLE pg_monitor;
GRANT USAGE ON SCHEMA cost TO regress_cost_nobody;
SET ROLE regress_cost_nobody;
SELECT price_per_gb_month FROM audiostore.storage_price('cost_s3');
SELECT item FROM audiostore.estimate_storage_cost() LIMIT 1;
\set VERBOSITY terse
SELECT * FROM audiostore.storage_cost();
SELECT * FROM audiostore.storage_now;
SELECT * FROM audiostore.storage_growth_trend();
UPDATE audiostore.storage_prices SET price_per_gb_month = 0;
\set VERBOSITY default
RESET ROLE;
SET ROLE regress_cost_monitor;
SELECT count(*) > 0 AS seen FROM audiostore.storage_cost();
SELECT count(*) > 0 AS seen FROM audiostore.storage_growth_forecast();
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA cost CASCADE;
SELECT count(audiostore.cancel_operation(id)) AS cancelled FROM audiostore.operations WHERE store LIKE 'cost%' \gset
DELETE FROM audiostore.storage_samples;
DELETE FROM audiostore.alerts WHERE name = 'accounting_failed';
UPDATE audiostore.storage_prices SET price_per_gb_month = NULL, source = NULL WHERE provider = 'local';
DROP SERVER cost_local; DROP SERVER cost_s3; DROP SERVER cost_cold;
DROP ROLE regress_cost_nobody, regress_cost_monitor;
