# shellcheck shell=bash disable=SC2034,SC2154
# Lookups of random keys: against a bare SELECT by key of an equal table, against the UPDATE ... RETURNING of the
# documents, and against GET of the same values from Redis, where it is installed. All alike: N connections over
# loopback TCP from N threads of one program, one prepared statement or command at a time, binary results, keys known
# beforehand, all values in memory. The floor is what the server and its protocol take for a row of 10 KB that is there
# already: a constant.

case_cache_get() {
    local seconds=${SECONDS_EACH:-5} clients look="SELECT audiostore.cache_get(\$1)" redis_pid=
    cache_restart "shared_buffers = '$(cache_memory)'"
    cache_source
    cache_settings "cache_max_entries = $cache_entries" "cache_durability = logged"
    cache_empty
    cache_fill 1 "$cache_entries" '1 day'
    cache_plain cache_rows
    sql -c "INSERT INTO bench.cache_rows SELECT * FROM audiostore.audio_chunk_cache" -c 'VACUUM ANALYZE bench.cache_rows' \
        -c CHECKPOINT
    if command -v redis-server >/dev/null; then cache_redis; fi
    cache_get_rounds select "SELECT audio_data FROM bench.cache_rows WHERE cache_key = \$1" yes
    [ -z "$redis_pid" ] || kill "$redis_pid"
    for clients in 1 8; do
        compare "cache_get, $clients clients (yardstick: SELECT by key)" "ours $clients" "select $clients" rate 0.9
        [ -z "$redis_pid" ] || {
            compare "   (yardstick: Redis GET)" "ours $clients" "redis $clients" rate 0.4
            compare "   floor: a constant of 10 KB (yardstick: Redis GET)" "floor $clients" "redis $clients" rate -
        }
    done
    sql -c 'DROP TABLE bench.cache_rows'
    # By itself, so that both are in memory again.
    cache_document cache_naive '1 day'
    cache_get_rounds update "UPDATE bench.cache_naive SET hit_count = hit_count + 1, last_accessed_at = now()
        WHERE cache_key = \$1 AND expires_at > now() RETURNING audio_data" ''
    for clients in 1 8; do
        compare "cache_get, $clients clients (yardstick: UPDATE ... RETURNING)" "ours again $clients" "update $clients" rate 3
    done
    sql -c 'DROP TABLE bench.cache_naive'
    cache_get_wal
    cache_empty
    cache_restart "shared_buffers = '1GB'"
}

# cache_get_rounds NAME SQL WITH_REDIS
cache_get_rounds() {
    local clients ours='ours again' floor="SELECT decode(repeat('ab', 10240), 'hex') WHERE \$1 <> ''"
    [ -z "$3" ] || ours=ours
    export WARM=${WARM_SECONDS:-3} PGHOST=127.0.0.1
    for ((round = 1; round <= rounds; round++)); do
        progress "cache_get: $1, round $round of $rounds"
        for clients in 1 8; do
            cache_client "$1 $clients" get $clients "$seconds" "$cache_entries" "$2"
            cache_client "$ours $clients" get $clients "$seconds" "$cache_entries" "$look"
            if [ -n "$3" ] && [ -n "$redis_pid" ]; then
                cache_client "redis $clients" redis $clients "$seconds" "$cache_entries" "$redis_port"
                cache_client "floor $clients" get $clients "$seconds" "$cache_entries" "$floor"
            fi
        done
    done
    export WARM=0 PGHOST=$sockets
}

# A quarter of the memory, as a server would have; 200,000 values and an equal table are 4.5 GB.
cache_memory() { awk '/^MemTotal/ { mb = int($2 / 4096); print (mb < 1024 ? 1024 : mb) "MB" }' /proc/meminfo; }

cache_restart() {
    sql -c "ALTER SYSTEM SET $1" -c 'CHECKPOINT'
    as_server "$bindir/pg_ctl" -D "$work/data" -l "$work/server.log" -w restart >/dev/null
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
    redis_port=$(free_port)
    redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no >"$results/redis.log" 2>&1 &
    redis_pid=$!
    until redis-cli -p "$redis_port" ping >/dev/null 2>&1; do sleep 0.1; done
    "$programs/cache" redis_load "$cache_entries" "$redis_port" 'SELECT data FROM bench.cache_source ORDER BY i'
}
