# shellcheck shell=bash disable=SC2034,SC2154
# Half of the entries expire, and all but 10,000 go for room: against the documents' DELETEs and VACUUM. Then lookups
# while the worker evicts.

case_cache_evict() {
    local half=$((cache_entries / 2))
    cache_source
    cache_settings "cache_max_entries = $cache_entries" 'cache_durability = logged'
    for ((round = 1; round <= rounds; round++)); do
        progress "cache_evict: round $round of $rounds"
        cache_document cache_naive '-1 minute'
        timed 'delete' 'DELETE FROM bench.cache_naive WHERE expires_at < now();' 'VACUUM bench.cache_naive;'
        cache_document cache_naive '1 day'
        timed 'offset' "DELETE FROM bench.cache_naive WHERE id IN
            (SELECT id FROM bench.cache_naive ORDER BY last_accessed_at DESC OFFSET 10000);" 'VACUUM bench.cache_naive;'
        sql -c 'DROP TABLE bench.cache_naive'
        cache_empty
        # Lives long enough for the loading, then expires while we wait.
        cache_fill 1 "$half" '60 s'
        cache_fill $((half + 1)) "$cache_entries" '1 day'
        sql -c CHECKPOINT
        until [ "$(sql -c "SELECT count(*) FROM audiostore.audio_chunk_cache WHERE expires_at > clock_timestamp()
            AND expires_at < now() + interval '1 hour'")" = 0 ]; do sleep 1; done
        timed 'expire' 'SELECT audiostore.evict_expired();'
        cache_fill 1 "$half" '1 day'
        # Random access times, as the documents' table has them.
        sql -c "UPDATE audiostore.audio_chunk_cache SET last_accessed_at = now() - random() * interval '1 hour'" \
            -c CHECKPOINT >/dev/null
        timed 'lru' 'SELECT audiostore.evict_lru(10000);'
    done
    compare "expiring $half of $cache_entries entries (yardstick: DELETE, VACUUM)" expire delete speedup 15
    absolute '   WAL of it, by the yardstick'"'"'s' "$(awk -v a="$(median expire 4)" -v b="$(median delete 4)" 'BEGIN { printf "%.5f", a / b }')" '' '<=' 0.01
    compare "LRU from $cache_entries to 10000 entries (yardstick: OFFSET delete, VACUUM)" lru offset speedup 15
    cache_evict_lookups
}

# The same without evictions: what the puts alone do to lookups on these processors.
cache_evict_nothing() {
    local seconds=20 putter output
    cache_empty
    cache_fill 1 5000 '1 day'
    "$programs/cache" churn 2 "$seconds" 10240 >"$work/putter" &
    putter=$!
    sleep 1
    output=$("$programs/cache" get 1 $((seconds - 2)) 5000 "SELECT audiostore.cache_get(md5(\$1) || md5(\$1))")
    wait $putter
    echo "# lookups during the same puts without eviction: rate p50 p99 p99.9 max misses: $output" >>"$raw"
    absolute '   without eviction: p99.9' "$(cut -d' ' -f4 <<<"$output")" ms
}

# One client looks up, two put as fast as they can, the worker evicts all the time.
cache_evict_lookups() {
    local seconds=${CHURN_SECONDS:-60} putter output
    cache_empty
    cache_settings 'cache_max_entries = 10000'
    cache_fill 1 5000 '1 day'
    worker on
    "$programs/cache" churn 2 "$seconds" 10240 >"$work/putter" &
    putter=$!
    output=$("$programs/cache" get 1 $((seconds - 4)) 5000 \
        "SELECT audiostore.cache_get(md5(\$1) || md5(\$1))")
    wait $putter
    sql -c 'SELECT sum(evicted), sum(expired) FROM audiostore.cache_counters' | sed 's/^/# evicted, expired: /' >>"$raw"
    worker off
    echo "# lookups during eviction: rate p50 p99 p99.9 max misses: $output" >>"$raw"
    # shellcheck disable=SC2086
    set -- $output
    absolute 'lookup during eviction, p50' "$2" ms
    cache_evict_nothing
    absolute 'lookup during eviction, p99.9' "$4" ms '<=' 5
    absolute 'lookup during eviction, longest' "$5" ms
}
