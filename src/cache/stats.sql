CREATE TABLE audiostore.cache_counters (
    hour timestamptz PRIMARY KEY,
    hits bigint NOT NULL DEFAULT 0,
    misses bigint NOT NULL DEFAULT 0,
    puts bigint NOT NULL DEFAULT 0,
    expired bigint NOT NULL DEFAULT 0,
    evicted bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
COMMENT ON TABLE audiostore.cache_counters IS
    'What happened to the audio cache, hour by hour, as of the last folding; kept for audiostore.run_history. Exact with '
    'shared_preload_libraries; without, hits, misses and puts are estimated from one in 64 of them, and added by '
    'run(''expiry'')';
COMMENT ON COLUMN audiostore.cache_counters.hour IS 'its beginning';
COMMENT ON COLUMN audiostore.cache_counters.hits IS 'lookups that found an entry';
COMMENT ON COLUMN audiostore.cache_counters.misses IS 'lookups that did not';
COMMENT ON COLUMN audiostore.cache_counters.puts IS 'entries put, those of transactions that were rolled back included';
COMMENT ON COLUMN audiostore.cache_counters.expired IS 'entries removed after they had expired';
COMMENT ON COLUMN audiostore.cache_counters.evicted IS 'entries removed before that, for room';

CREATE TABLE audiostore_cache.sampled_counters (
    hits bigint NOT NULL DEFAULT 0,
    misses bigint NOT NULL DEFAULT 0,
    puts bigint NOT NULL DEFAULT 0,
    expired bigint NOT NULL DEFAULT 0,
    evicted bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE audiostore_cache.sampled_counters IS
    'One row: what was counted without shared_preload_libraries since the last folding. It is overwritten where it lies, '
    'outside of transactions, as the hits of entries are';
COMMENT ON COLUMN audiostore_cache.sampled_counters.hits IS '64 for each one in 64 lookups that found an entry';
COMMENT ON COLUMN audiostore_cache.sampled_counters.misses IS 'likewise for lookups that did not';
COMMENT ON COLUMN audiostore_cache.sampled_counters.puts IS 'likewise for puts';
COMMENT ON COLUMN audiostore_cache.sampled_counters.expired IS 'entries removed after they had expired';
COMMENT ON COLUMN audiostore_cache.sampled_counters.evicted IS 'entries removed before that, for room';
INSERT INTO audiostore_cache.sampled_counters DEFAULT VALUES;

CREATE FUNCTION audiostore.cache_unsaved_counters(OUT hits bigint, OUT misses bigint, OUT puts bigint, OUT expired bigint,
        OUT evicted bigint)
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'audiostore_cache_unsaved_counters';
COMMENT ON FUNCTION audiostore.cache_unsaved_counters() IS 'What was counted since the last folding; not in cache_counters yet';

CREATE FUNCTION audiostore.cache_stats(OUT entries bigint, OUT valid_entries bigint, OUT bytes bigint, OUT hits bigint,
        OUT misses bigint, OUT hit_rate double precision, OUT puts bigint, OUT expired bigint, OUT evictions bigint,
        OUT by_hour jsonb)
    LANGUAGE sql VOLATILE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp AS $$
    WITH stored AS (
        SELECT count(*) AS entries, count(*) FILTER (WHERE expires_at > clock_timestamp()) AS valid_entries,
               coalesce(sum(octet_length(audio_data)), 0)::bigint AS bytes
        FROM audiostore.audio_chunk_cache),
    hours AS (
        SELECT hour, sum(hits)::bigint AS hits, sum(misses)::bigint AS misses, sum(puts)::bigint AS puts,
               sum(expired)::bigint AS expired, sum(evicted)::bigint AS evicted
        FROM (SELECT * FROM audiostore.cache_counters
              UNION ALL
              SELECT date_trunc('hour', clock_timestamp()), * FROM audiostore.cache_unsaved_counters()) counted
        GROUP BY hour HAVING sum(hits + misses + puts + expired + evicted) > 0),
    sums AS (
        SELECT coalesce(sum(hits), 0)::bigint AS hits, coalesce(sum(misses), 0)::bigint AS misses,
               coalesce(sum(puts), 0)::bigint AS puts, coalesce(sum(expired), 0)::bigint AS expired,
               coalesce(sum(evicted), 0)::bigint AS evicted,
               coalesce(jsonb_agg(jsonb_build_object('hour', hour, 'hits', hits, 'misses', misses,
                   'hit_rate', hits / nullif(hits + misses, 0)::double precision, 'puts', puts, 'expired', expired,
                   'evictions', evicted) ORDER BY hour), '[]') AS by_hour
        FROM hours)
    SELECT stored.entries, stored.valid_entries, stored.bytes, sums.hits, sums.misses,
           sums.hits / nullif(sums.hits + sums.misses, 0)::double precision, sums.puts, sums.expired, sums.evicted,
           sums.by_hour
    FROM stored, sums
$$;
COMMENT ON FUNCTION audiostore.cache_stats() IS
    'One row: entries and valid_entries (not expired) and their bytes now; hits, misses, puts, expired and evictions since '
    'cache_counters begin, what is not folded yet included; hit_rate is hits by lookups, NULL before the first; by_hour is '
    'an array of the same figures. Without shared_preload_libraries hits, misses and puts are estimates. Needs SELECT on audio_chunk_cache and '
    'cache_counters';
