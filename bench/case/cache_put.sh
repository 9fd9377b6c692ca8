# shellcheck shell=bash disable=SC2034,SC2154
# Puts of fresh values of 10 KB from 8 clients, against INSERTs into an equal logged table.

case_cache_put() {
    local seconds=${SECONDS_EACH:-5} durability
    cache_source
    cache_settings 'cache_max_entries = 1000000'
    for ((round = 1; round <= rounds; round++)); do
        progress "cache_put: round $round of $rounds"
        cache_plain cache_puts
        sql -c CHECKPOINT
        cache_client insert put 8 "$seconds" 10240 \
            "INSERT INTO bench.cache_puts (cache_key, audio_data, duration_ms, expires_at) VALUES (\$1, \$2, 2500, now() + interval '5 min')"
        for durability in logged unlogged; do
            cache_settings "cache_durability = $durability"
            cache_empty
            cache_client $durability put 8 "$seconds" 10240 "SELECT audiostore.cache_put(\$1, \$2, 2500)"
            [ $durability = logged ] || continue
            sql -c 'SELECT audiostore.evict_lru(0)' -c CHECKPOINT >/dev/null
            cache_client again put 8 "$seconds" 10240 "SELECT audiostore.cache_put(\$1, \$2, 2500)"
        done
    done
    cache_empty
    cache_settings 'cache_durability = logged'
    compare 'cache_put, 8 clients, logged (yardstick: INSERT)' logged insert rate 0.9
    compare '   the same into pages that are used again' again insert rate -
    compare 'cache_put, 8 clients, unlogged (yardstick: INSERT, logged)' unlogged insert rate 1.8
}
