-- What is tracked, counted by store and class, and what that costs.
CREATE FUNCTION audiostore.tracked_usage(minimums bigint[] DEFAULT '{}', OUT relation regclass, OUT key_column name,
        OUT store text, OUT storage_class text, OUT objects bigint, OUT bytes bigint, OUT unsized bigint,
        OUT padded bigint[], OUT error text)
    RETURNS SETOF record
    LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'audiostore_tracked_usage';
COMMENT ON FUNCTION audiostore.tracked_usage(bigint[]) IS
    'Live rows of each tracked column by store and storage class, counted now: reads the tables as their owners, one pass each. '
    'storage_class is what a column storage_class (text) of the table says, in capitals; NULL where there is none, or it says nothing: the object has the class that its store gives by default. '
    'bytes sums the size column, unsized counts rows that state no size; padded has, for each element of minimums, the sum of the sizes with smaller ones counted as that many bytes. '
    'A table that cannot be counted has one row with error, and NULLs. Rows that share an object count each';
REVOKE ALL ON FUNCTION audiostore.tracked_usage(bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audiostore.tracked_usage(bigint[]) TO pg_monitor;

CREATE FUNCTION audiostore.priced_usage(minimums bigint[], stores text[], classes text[], objects bigint[], bytes bigint[],
        unsized bigint[], padded bigint[], OUT store text, OUT provider text, OUT storage_class text, OUT objects_sum bigint,
        OUT bytes_sum bigint, OUT billable_bytes bigint, OUT price_per_gb_month numeric, OUT monthly_cost numeric,
        OUT currency text, OUT reason text)
    RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    WITH counted AS (
        SELECT u.store, u.objects, u.bytes, u.unsized, p.provider, p.class, p.price_per_gb_month, p.currency, p.reason,
               coalesce(padded[(u.n - 1) * cardinality(minimums)
                               + array_position(minimums, p.minimum_billable_bytes)], u.bytes) AS billable
        FROM unnest(stores, classes, objects, bytes, unsized)
             WITH ORDINALITY AS u(store, storage_class, objects, bytes, unsized, n)
        CROSS JOIN LATERAL audiostore.storage_price(u.store, u.storage_class) p)
    SELECT c.store, c.provider, coalesce(c.class, 'STANDARD'), least(sum(c.objects), 9223372036854775807)::bigint,
           least(sum(c.bytes), 9223372036854775807)::bigint, least(sum(c.billable), 9223372036854775807)::bigint,
           max(c.price_per_gb_month), trim_scale(sum(c.billable) / 1e9 * max(c.price_per_gb_month)), max(c.currency),
           nullif(concat_ws('; ', max(c.reason),
               CASE WHEN sum(c.unsized) > 0 THEN format('%s rows state no size', sum(c.unsized)) END), '')
    FROM counted c
    GROUP BY c.store, c.provider, coalesce(c.class, 'STANDARD')
$$;
COMMENT ON FUNCTION audiostore.priced_usage(bigint[], text[], text[], bigint[], bigint[], bigint[], bigint[]) IS
    'What storage_cost() and the accounting have counted, with its price: one element of the arrays for each store and class as tracked_usage() gives them, of padded one for each of these and each of minimums';

CREATE FUNCTION audiostore.storage_cost(OUT store text, OUT provider text, OUT storage_class text, OUT objects bigint,
        OUT bytes bigint, OUT billable_bytes bigint, OUT price_per_gb_month numeric, OUT monthly_cost numeric,
        OUT currency text, OUT reason text)
    RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
    WITH wanted AS (
        SELECT coalesce(array_agg(DISTINCT p.minimum_billable_bytes), '{}') AS minimums
        FROM audiostore.storage_prices p WHERE p.minimum_billable_bytes > 0),
    counted AS MATERIALIZED (SELECT u.* FROM wanted w CROSS JOIN LATERAL audiostore.tracked_usage(w.minimums) u),
    arrays AS (
        SELECT array_agg(c.store ORDER BY c.n) AS stores, array_agg(c.storage_class ORDER BY c.n) AS classes,
               array_agg(c.objects ORDER BY c.n) AS objects, array_agg(c.bytes ORDER BY c.n) AS bytes,
               array_agg(c.unsized ORDER BY c.n) AS unsized
        FROM (SELECT counted.*, row_number() OVER () AS n FROM counted WHERE error IS NULL) c),
    flat AS (
        SELECT array_agg(p.padded ORDER BY c.n, p.k) AS padded
        FROM (SELECT counted.padded, row_number() OVER () AS n FROM counted WHERE error IS NULL) c
        CROSS JOIN LATERAL unnest(c.padded) WITH ORDINALITY AS p(padded, k))
    SELECT p.store, p.provider, p.storage_class, p.objects_sum, p.bytes_sum, p.billable_bytes, p.price_per_gb_month,
           p.monthly_cost, p.currency, p.reason
    FROM wanted w, arrays a, flat f,
         audiostore.priced_usage(w.minimums, a.stores, a.classes, a.objects, a.bytes, a.unsized, f.padded) p
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           format('%s (%s) could not be counted: %s', c.relation, c.key_column, c.error)
    FROM counted c WHERE c.error IS NOT NULL
    ORDER BY 1, 3
$$;
COMMENT ON FUNCTION audiostore.storage_cost() IS
    'What the objects of live rows cost in a month, by store and storage class, counted now as tracked_usage() does: it takes as long as that takes; storage_samples has the figures of the last accounting. '
    'billable_bytes counts small objects as minimum_billable_bytes of storage_prices; monthly_cost is billable_bytes / 10^9 * price_per_gb_month, not rounded. '
    'What has no price costs NULL, and reason says why; reason also tells of rows without a size, and of tables that could not be counted (store is NULL then)';
REVOKE ALL ON FUNCTION audiostore.storage_cost() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audiostore.storage_cost() TO pg_monitor;
