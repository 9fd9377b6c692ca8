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
        # The limits: files are emptied; and what stays is written elsewhere before.
        cache_document cache_naive '1 day'
        sql -c 'DROP TABLE IF EXISTS bench.cache_half' -c 'CREATE TABLE bench.cache_half (LIKE bench.cache_naive INCLUDING ALL)' \
            -c "INSERT INTO bench.cache_half SELECT * FROM bench.cache_naive LIMIT $half" -c CHECKPOINT
        timed 'empty' 'TRUNCATE bench.cache_half;'
        sql -c 'DROP TABLE IF EXISTS bench.cache_kept' -c 'CREATE TABLE bench.cache_kept (LIKE bench.cache_naive INCLUDING ALL)'
        timed 'copy' 'BEGIN;' "INSERT INTO bench.cache_kept SELECT * FROM bench.cache_naive ORDER BY last_accessed_at DESC LIMIT 10000;" \
            'TRUNCATE bench.cache_naive;' 'COMMIT;'
        sql -c 'DROP TABLE bench.cache_naive, bench.cache_kept, bench.cache_half'
        cache_empty
        # Lives long enough for the loading, then expires while we wait.
        timed 'first' "$(cache_fill_statement 1 "$half" '60 s')"
        cache_fill $((half + 1)) "$cache_entries" '1 day'
        sql -c CHECKPOINT
        until [ "$(sql -c "SELECT count(*) FROM audiostore.audio_chunk_cache WHERE expires_at > clock_timestamp()
            AND expires_at < now() + interval '1 hour'")" = 0 ]; do sleep 1; done
        timed 'expire' 'SELECT audiostore.evict_expired();'
        sql -c CHECKPOINT
        # The pages that were emptied are used again.
        timed 'again' "$(cache_fill_statement 1 "$half" '1 day')"
        record 'again_files' "$(cache_files)"
        cache_touch
        sql -c CHECKPOINT
        timed 'lru' 'SELECT audiostore.evict_lru(10000);'
        record 'lru_files' "$(cache_files)"
        # What the worker does next, if there is one.
        timed 'give_back' "CALL audiostore.run('expiry');"
        record 'given_back_files' "$(cache_files)"
    done
    compare "expiring $half of $cache_entries entries (yardstick: DELETE, VACUUM)" expire delete speedup 15
    absolute '   WAL of it, by the yardstick'"'"'s' "$(awk -v a="$(median expire 4)" -v b="$(median delete 4)" 'BEGIN { printf "%.5f", a / b }')" '' '<=' 0.01
    compare '  limit: TRUNCATE of a table of as many' empty delete speedup -
    compare "   putting $half entries again (yardstick: into new files)" again first speedup -
    absolute '   files by live bytes afterwards' "$(median again_files)" ''
    compare "LRU from $cache_entries to 10000 entries (yardstick: OFFSET delete, VACUUM)" lru offset speedup 15
    compare '  limit: the 10000 copied by INSERT ... SELECT, then TRUNCATE' copy offset speedup -
    absolute '   files by live bytes afterwards' "$(median lru_files)" ''
    absolute '   the worker gives back what is not needed: time' "$(median give_back)" ms
    absolute '   files by live bytes after that' "$(median given_back_files)" ''
    cache_evict_lookups
}

# Random access times, as the documents' table has them: by lookups, in parts that shared memory has room for.
cache_touch() {
    local part
    for part in 0 1 2 3; do
        sql -c "SELECT count(audiostore.cache_get(md5(k) || md5(k))) FROM (SELECT k::text FROM
            generate_series(1, $cache_entries) k WHERE k % 4 = $part ORDER BY random()) keys" \
            -c "CALL audiostore.run('expiry')" >/dev/null
    done
}

# One client looks up, two put at a steady pace that leaves processors free, so that what is measured is what lookups wait
# for, and not whose turn it is; with the worker, which evicts all the time, and without.
cache_evict_lookups() {
    local seconds=${LOOKUP_SECONDS:-40} variant putter output
    cache_settings 'cache_max_entries = 10000'
    # Whoever waits for a lock for longer than this is in the log.
    sql -c 'ALTER SYSTEM SET log_lock_waits = on' -c "ALTER SYSTEM SET deadlock_timeout = '1ms'" \
        -c 'SELECT pg_reload_conf()' >/dev/null
    for variant in without during; do
        cache_empty
        cache_fill 1 9000 '1 day'
        [ $variant = without ] || worker on
        "$programs/cache" churn 2 "$seconds" 10240 "${PUTS_PER_CLIENT:-400}" >"$work/putter" &
        putter=$!
        output=$(WARM=3 "$programs/cache" get 1 $((seconds - 6)) 5000 "SELECT audiostore.cache_get(\$1)")
        wait $putter
        echo "# lookups $variant eviction: rate p50 p99 p99.9 max misses: $output" >>"$raw"
        if [ $variant = during ]; then
            sql -c 'SELECT sum(evicted), sum(expired) FROM audiostore.cache_counters' |
                sed 's/^/# evicted|expired: /' >>"$raw"
            worker off
        fi
        # shellcheck disable=SC2086
        set -- $output
        if [ $variant = without ]; then
            absolute 'lookups while others put, no eviction: p50' "$2" ms
            absolute '   p99.9' "$4" ms
            absolute '   longest' "$5" ms
        else
            absolute 'lookups while others put and the worker evicts: p50' "$2" ms
            absolute '   p99.9' "$4" ms '<=' 5
            absolute '   longest' "$5" ms
            absolute '   lookups that waited for a lock, 1 ms or longer' \
                "$(grep -A 4 'still waiting for' "$work/server.log" | grep -c 'STATEMENT: .*cache_get' || true)" '' '<=' 0
        fi
    done
    sql -c 'ALTER SYSTEM RESET log_lock_waits' -c 'ALTER SYSTEM RESET deadlock_timeout' -c 'SELECT pg_reload_conf()' >/dev/null
    cache_empty
}
