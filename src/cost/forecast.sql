-- Where storage is going: what was measured, and what a plan comes to.
CREATE FUNCTION audiostore.storage_growth_trend(since interval DEFAULT '30 days', horizons integer[] DEFAULT '{30,90,365}',
        OUT store text, OUT storage_class text, OUT samples bigint, OUT first_sample timestamptz,
        OUT last_sample timestamptz, OUT bytes bigint, OUT objects bigint, OUT bytes_per_day double precision,
        OUT objects_per_day double precision, OUT r2 double precision, OUT horizon_days integer,
        OUT forecast_bytes numeric, OUT forecast_objects numeric, OUT forecast_cost numeric, OUT currency text,
        OUT note text)
    RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    WITH points AS (
        SELECT s.store, s.storage_class, s.sampled_at, extract(epoch FROM s.sampled_at - now()) / 86400.0 AS day,
               s.bytes, s.objects, s.billable_bytes
        FROM audiostore.storage_samples s
        WHERE s.sampled_at >= now() - since),
    line AS (
        SELECT p.store, p.storage_class, count(*) AS samples, min(p.sampled_at) AS first_sample,
               max(p.sampled_at) AS last_sample, max(p.sampled_at) - min(p.sampled_at) >= interval '1 hour' AS long_enough,
               regr_slope(p.bytes::double precision, p.day::double precision) AS bytes_per_day,
               regr_slope(p.objects::double precision, p.day::double precision) AS objects_per_day,
               regr_r2(p.bytes::double precision, p.day::double precision) AS r2,
               (array_agg(p.bytes ORDER BY p.sampled_at DESC))[1] AS bytes,
               (array_agg(p.objects ORDER BY p.sampled_at DESC))[1] AS objects,
               (array_agg(p.billable_bytes ORDER BY p.sampled_at DESC))[1] AS billable_bytes
        FROM points p GROUP BY p.store, p.storage_class),
    fit AS (
        SELECT l.store, l.storage_class, l.samples, l.first_sample, l.last_sample, l.bytes, l.objects, l.billable_bytes,
               CASE WHEN l.long_enough THEN l.bytes_per_day END AS bytes_per_day,
               CASE WHEN l.long_enough THEN l.objects_per_day END AS objects_per_day,
               CASE WHEN l.long_enough THEN l.r2 END AS r2
        FROM line l),
    ahead AS (
        SELECT f.*, h.days,
               CASE WHEN f.bytes_per_day IS NOT NULL
                    THEN greatest(round(f.bytes + f.bytes_per_day::numeric * h.days), 0) END AS forecast_bytes,
               CASE WHEN f.objects_per_day IS NOT NULL
                    THEN greatest(round(f.objects + f.objects_per_day::numeric * h.days), 0) END AS forecast_objects
        FROM fit f CROSS JOIN unnest(horizons) AS h(days))
    SELECT a.store, a.storage_class, a.samples, a.first_sample, a.last_sample, a.bytes, a.objects, a.bytes_per_day,
           a.objects_per_day, a.r2, a.days, a.forecast_bytes, a.forecast_objects,
           a.forecast_bytes * coalesce(a.billable_bytes / nullif(a.bytes, 0)::numeric, 1) / 1e9 * p.price_per_gb_month,
           p.currency,
           CASE WHEN a.bytes_per_day IS NULL THEN 'samples of less than an hour make no trend' ELSE p.reason END
    FROM ahead a
    CROSS JOIN LATERAL audiostore.storage_price(a.store, a.storage_class) p
    ORDER BY a.store, a.storage_class, a.days
$$;
COMMENT ON FUNCTION audiostore.storage_growth_trend(interval, integer[]) IS
    'The real trend of what is tracked, by store and storage class: a straight line (least squares) through the samples of storage_samples of the time since, and where the last sample would be after each of these days if it went on like that, not below zero. '
    'r2 says how straight it is (1: a line); forecast_cost is a month at that size, at the price of today. Bytes and cost are NULL while the samples are not an hour apart, and note says so. Needs SELECT on storage_samples';
REVOKE ALL ON FUNCTION audiostore.storage_growth_trend(interval, integer[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audiostore.storage_growth_trend(interval, integer[]) TO pg_monitor;

CREATE FUNCTION audiostore.storage_growth_forecast(segments_per_hour numeric DEFAULT 24, segment_seconds numeric DEFAULT 60,
        bytes_per_minute numeric DEFAULT 5000000, raw_share numeric DEFAULT 0.5, hours_per_day numeric DEFAULT 24,
        raw_kept interval DEFAULT '0', final_kept interval DEFAULT '7 days', horizons integer[] DEFAULT '{1,7,30,90,365}',
        price_per_gb_month numeric DEFAULT NULL, since interval DEFAULT '30 days',
        OUT scenario text, OUT horizon_days integer, OUT segments numeric, OUT raw_bytes numeric,
        OUT final_bytes numeric, OUT bytes numeric, OUT gb numeric, OUT monthly_cost numeric, OUT note text)
    RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    segments_a_day numeric := segments_per_hour * hours_per_day;
    a_day numeric := segments_a_day * segment_seconds / 60 * bytes_per_minute;
    raw_days numeric := extract(epoch FROM raw_kept) / 86400;
    final_days numeric := extract(epoch FROM final_kept) / 86400;
BEGIN
    IF num_nulls(segments_per_hour, segment_seconds, bytes_per_minute, raw_share, hours_per_day, horizons, since) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'only raw_kept, final_kept and price_per_gb_month may be null';
    END IF;
    IF NOT (least(segments_per_hour, segment_seconds, bytes_per_minute, hours_per_day, raw_days, final_days,
                  price_per_gb_month) >= 0
            AND greatest(segments_per_hour, segment_seconds, bytes_per_minute, price_per_gb_month) < 'Infinity'
            AND raw_share BETWEEN 0 AND 1 AND hours_per_day <= 24 AND 0 <= ALL (horizons)) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a figure of the forecast is out of range',
            HINT = 'None may be negative or infinite; raw_share is between 0 and 1, hours_per_day at most 24.';
    END IF;
    RETURN QUERY
    WITH kept AS (
        SELECT s.scenario, h.days, segments_a_day * h.days AS segments,
               a_day * raw_share * least(h.days, s.raw_days) AS raw_bytes,
               a_day * (1 - raw_share) * least(h.days, s.final_days) AS final_bytes, s.n
        FROM (VALUES (1, 'everything kept', NULL::numeric, NULL::numeric),
                     (2, 'with retention', raw_days, final_days)) AS s(n, scenario, raw_days, final_days)
        CROSS JOIN unnest(horizons) AS h(days)),
    measured AS (
        SELECT t.horizon_days AS days, sum(t.forecast_bytes) AS bytes,
               CASE WHEN count(DISTINCT t.currency) = 1 THEN sum(t.forecast_cost) END AS cost,
               count(*) AS lines, count(t.forecast_bytes) AS with_trend, count(t.forecast_cost) AS with_cost,
               count(DISTINCT t.currency) AS currencies
        FROM audiostore.storage_growth_trend(since, horizons) t
        GROUP BY t.horizon_days)
    SELECT all_rows.scenario, all_rows.days, all_rows.segments, round(all_rows.raw_bytes), round(all_rows.final_bytes),
           round(all_rows.bytes),
           round(all_rows.bytes / 1e9, 3), round(all_rows.cost, 2), all_rows.note
    FROM (SELECT k.n, k.scenario, k.days, k.segments, k.raw_bytes, k.final_bytes, k.raw_bytes + k.final_bytes AS bytes,
                 (k.raw_bytes + k.final_bytes) / 1e9 * storage_growth_forecast.price_per_gb_month AS cost,
                 NULL::text AS note
          FROM kept k
          UNION ALL
          SELECT 3, 'measured trend', m.days, NULL, NULL, NULL, m.bytes, m.cost,
                 nullif(concat_ws('; ',
                     CASE WHEN m.with_trend < m.lines THEN format('%s of %s stores and classes have no trend yet', m.lines - m.with_trend, m.lines) END,
                     CASE WHEN m.currencies > 1 THEN 'prices are in different currencies'
                          WHEN m.with_cost < m.with_trend THEN format('%s have no price', m.with_trend - m.with_cost) END), '')
          FROM measured m) all_rows
    ORDER BY all_rows.n, all_rows.days;
END
$$;
COMMENT ON FUNCTION audiostore.storage_growth_forecast(numeric, numeric, numeric, numeric, numeric, interval, interval,
        integer[], numeric, interval) IS
    'How much is stored after so many days. Scenario everything kept and with retention are arithmetic: segments_per_hour x hours_per_day segments a day, of segment_seconds at bytes_per_minute, of which raw_share are raw files and the rest final ones; with retention, these are kept for raw_kept and final_kept (NULL: for ever). '
    'With its defaults it is the example of docs/costs.md: 576 segments and 2.88 GB a day, 20.16 GB a week when everything is kept, 10.08 GB when raw files go at once and final ones after 7 days. That example counts 5 MB a minute for raw and final file together; with 44.1 kHz mono WAV for both, pass 10600000. '
    'monthly_cost is at price_per_gb_month, if given. Scenario measured trend is the sum of storage_growth_trend(since) over all stores, at the prices of storage_prices; it has no rows before the first accounting. A GB is 10^9 bytes. Needs SELECT on storage_samples. Errors: 22004, 22023';
REVOKE ALL ON FUNCTION audiostore.storage_growth_forecast(numeric, numeric, numeric, numeric, numeric, interval, interval,
        integer[], numeric, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audiostore.storage_growth_forecast(numeric, numeric, numeric, numeric, numeric, interval, interval,
        integer[], numeric, interval) TO pg_monitor;
