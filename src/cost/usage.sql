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

CREATE FUNCTION audiostore.storage_cost(OUT store text, OUT provider text, OUT storage_class text, OUT objects bigint,
        OUT bytes bigint, OUT billable_bytes bigint, OUT price_per_gb_month numeric, OUT monthly_cost numeric,
        OUT currency text, OUT reason text)
    RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
    SELECT NULL::text, NULL::text, NULL::text, NULL::bigint, NULL::bigint, NULL::bigint, NULL::numeric, NULL::numeric,
           NULL::text, NULL::text WHERE false
$$;
COMMENT ON FUNCTION audiostore.storage_cost() IS
    'What the objects of live rows cost in a month, by store and storage class, counted now as tracked_usage() does: it takes as long as that takes; storage_samples has the figures of the last accounting. '
    'billable_bytes counts small objects as minimum_billable_bytes of storage_prices; monthly_cost is billable_bytes / 10^9 * price_per_gb_month, not rounded. '
    'What has no price costs NULL, and reason says why; reason also tells of rows without a size, and of tables that could not be counted (store is NULL then)';
REVOKE ALL ON FUNCTION audiostore.storage_cost() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audiostore.storage_cost() TO pg_monitor;
