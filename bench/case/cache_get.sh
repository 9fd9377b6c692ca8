# shellcheck shell=bash disable=SC2034,SC2154
# Lookups of random keys: against a bare SELECT by key of an equal table, against the UPDATE ... RETURNING of the
# documents, and, with binary results, against GET of the same values from Redis over loopback, where it is installed.

case_cache_get() {
    local seconds=${SECONDS_EACH:-5} clients key="md5(\$1) || md5(\$1)" redis=
    cache_source
    cache_settings "cache_max_entries = $cache_entries" "cache_durability = logged"
    cache_empty
    cache_fill 1 "$cache_entries" '1 day'
    cache_plain cache_rows
    sql -c "INSERT INTO bench.cache_rows SELECT * FROM audiostore.audio_chunk_cache" -c 'VACUUM ANALYZE bench.cache_rows'
    cache_document cache_naive '1 day'
    if command -v redis-server >/dev/null; then redis=yes; cache_redis; fi
    for ((round = 1; round <= rounds; round++)); do
        progress "cache_get: round $round of $rounds"
        for clients in 1 8; do
            cache_client "select $clients" get $clients "$seconds" "$cache_entries" \
                "SELECT audio_data FROM bench.cache_rows WHERE cache_key = $key"
            cache_client "ours $clients" get $clients "$seconds" "$cache_entries" "SELECT audiostore.cache_get($key)"
            cache_client "update $clients" get $clients "$seconds" "$cache_entries" \
                "UPDATE bench.cache_naive SET hit_count = hit_count + 1, last_accessed_at = now()
                 WHERE cache_key = $key AND expires_at > now() RETURNING audio_data"
            [ -z "$redis" ] || record "redis $clients" "$(redis-benchmark -h 127.0.0.1 -p "$redis_port" -c $clients \
                -n $((clients * 20000)) -r "$cache_entries" --csv GET key:__rand_int__ 2>/dev/null | tail -n 1 | cut -d'"' -f4)"
        done
    done
    [ -z "$redis" ] || kill "$redis_pid"
    for clients in 1 8; do
        compare "cache_get, $clients clients (yardstick: SELECT by key)" "ours $clients" "select $clients" rate 0.9
        compare "cache_get, $clients clients (yardstick: UPDATE ... RETURNING)" "ours $clients" "update $clients" rate 3
        [ -z "$redis" ] || compare "cache_get, $clients clients, binary (yardstick: Redis GET)" "ours $clients" "redis $clients" rate 0.4
    done
    cache_get_wal
}

# 100,000 hits and their folding.
cache_get_wal() {
    local start
    sql -c "CALL audiostore.run('expiry')" -c CHECKPOINT
    start=$(wal_position)
    sql -c "SELECT count(audiostore.cache_get(md5(k) || md5(k))) FROM (SELECT (1 + (random() * ($cache_entries - 1))::int)::text AS k
            FROM generate_series(1, 100000)) keys" >/dev/null
    sql -c "CALL audiostore.run('expiry')"
    absolute 'WAL of 100,000 hits and their folding' "$(awk -v b="$(wal_since "$start")" 'BEGIN { printf "%.3f", b / 1e6 }')" MB '<=' 1
    absolute 'hits in the rows after it (for information)' "$(sql -c 'SELECT sum(hit_count) FROM audiostore.audio_chunk_cache')" ''
}

cache_redis() {
    redis_port=6399
    redis-server --port $redis_port --bind 127.0.0.1 --save '' --appendonly no >"$results/redis.log" 2>&1 &
    redis_pid=$!
    until redis-cli -p $redis_port ping >/dev/null 2>&1; do sleep 0.1; done
    # The names that redis-benchmark asks for have twelve digits.
    local value
    value=$(head -c 7680 /dev/urandom | base64 -w 0)
    awk -v n="$cache_entries" -v v="$value" 'BEGIN { for (i = 0; i < n; i++) printf "SET key:%012d %s\r\n", i, v }' |
        redis-cli -p $redis_port --pipe >/dev/null
}
