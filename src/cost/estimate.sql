-- Costs before there is anything to count.
CREATE FUNCTION audiostore.estimate_storage_cost(conversations_per_day numeric DEFAULT 100,
        minutes_per_conversation numeric DEFAULT 10, bytes_per_second numeric DEFAULT 4000, days numeric DEFAULT 30,
        cache_ttl interval DEFAULT NULL, provider text DEFAULT 'gcs', storage_class text DEFAULT 'STANDARD',
        OUT item text, OUT bytes numeric, OUT gb numeric, OUT price_per_gb_month numeric, OUT monthly_cost numeric,
        OUT currency text, OUT note text)
    RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a_day numeric := conversations_per_day * minutes_per_conversation * 60 * bytes_per_second;
    ttl_days numeric := extract(epoch FROM cache_ttl) / 86400;
BEGIN
    IF num_nulls(conversations_per_day, minutes_per_conversation, bytes_per_second, days, provider, storage_class) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'only cache_ttl may be null';
    END IF;
    IF NOT (least(conversations_per_day, minutes_per_conversation, bytes_per_second, days) >= 0
            AND greatest(conversations_per_day, minutes_per_conversation, bytes_per_second, days) < 'Infinity'
            AND coalesce(ttl_days, 0) >= 0) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the figures of an estimate must not be negative or infinite';
    END IF;
    RETURN QUERY
    WITH amounts(n, item, amount, provider, storage_class, note) AS (VALUES
        (1, 'audio per day', a_day, NULL, NULL, NULL),
        (2, 'audio per month', a_day * days, NULL, NULL, NULL),
        (3, 'cache', a_day * least(days, coalesce(ttl_days, days)), 'postgresql', 'STANDARD',
            CASE WHEN cache_ttl IS NULL THEN 'as if a month of audio stayed in the cache; give cache_ttl for what it holds at a time' END),
        (4, 'archive', a_day * days, estimate_storage_cost.provider, upper(estimate_storage_cost.storage_class), NULL)),
    lines AS (
        SELECT a.n, a.item, a.amount, p.price_per_gb_month AS price,
               CASE WHEN a.provider IS NOT NULL THEN round(a.amount / 1e9 * p.price_per_gb_month, 2) END AS cost,
               CASE WHEN a.provider IS NOT NULL THEN p.currency END AS currency,
               CASE WHEN a.provider IS NOT NULL AND p.price_per_gb_month IS NULL
                    THEN format('storage_prices has no price for provider %s and class %s', a.provider, a.storage_class)
                    ELSE a.note END AS note
        FROM amounts a
        LEFT JOIN audiostore.storage_prices p
            ON p.provider = a.provider AND p.storage_class = a.storage_class AND p.store = ''),
    total AS (
        SELECT CASE WHEN count(*) = count(l.cost) AND count(DISTINCT l.currency) = 1 THEN sum(l.cost) END AS cost,
               CASE WHEN count(DISTINCT l.currency) = 1 THEN max(l.currency) END AS currency,
               CASE WHEN count(*) > count(l.cost) THEN 'a price is missing'
                    WHEN count(DISTINCT l.currency) > 1 THEN 'prices are in different currencies' END AS note
        FROM lines l WHERE l.n >= 3)
    SELECT all_lines.item, round(all_lines.amount), round(all_lines.amount / 1e9, 6), all_lines.price, all_lines.cost,
           all_lines.currency, all_lines.note
    FROM (SELECT * FROM lines
          UNION ALL
          SELECT 5, 'total', NULL, NULL, t.cost, t.currency, t.note FROM total t) all_lines
    ORDER BY all_lines.n;
END
$$;
COMMENT ON FUNCTION audiostore.estimate_storage_cost(numeric, numeric, numeric, numeric, interval, text, text) IS
    'What conversations cost in a month, at the prices of storage_prices: audio per day = conversations x minutes x 60 x bytes per second; a month of it is in the cache (postgresql) and in the archive (provider and storage_class). '
    'Each line is rounded to cents, and the total adds the lines. With its defaults it is the example of docs/costs.md: 240 MB a day, 7.2 GB a month, 1.22 + 0.14 = 1.36. '
    'That example takes the cache for as large as a month of audio; with cache_ttl it is as large as what is written in that time. A GB is 10^9 bytes. '
    'A price that is not known gives NULL, and note says so. Errors: 22004, 22023 (negative)';
