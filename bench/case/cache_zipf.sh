# shellcheck shell=bash disable=SC2034,SC2154
# Hit ratio on a Zipf(0.99) trace with room for a tenth of the keys, against an exact LRU of the same size that sees the
# same trace. The worker evicts.

case_cache_zipf() {
    local keys=${ZIPF_KEYS:-100000} lookups=${ZIPF_LOOKUPS:-600000} output
    for ((round = 1; round <= (rounds + 1) / 2; round++)); do
        progress "cache_zipf: round $round"
        worker off
        cache_empty
        cache_settings "cache_max_entries = $((keys / 10))" 'cache_durability = unlogged'
        worker on
        output=$("$programs/cache" zipf 4 "$lookups" "$keys" 1024)
        record ours "${output% *}"
        record lru "${output#* }"
        sql -c 'SELECT count(*) FROM audiostore.audio_chunk_cache' | sed 's/^/# entries at the end: /' >>"$raw"
    done
    worker off
    cache_empty
    cache_settings 'cache_durability = logged'
    absolute 'hit ratio, Zipf(0.99), room for a tenth of the keys' "$(median ours)" ''
    absolute '   of an exact LRU: '"$(median lru)"'; ours by it' \
        "$(awk -v a="$(median ours)" -v b="$(median lru)" 'BEGIN { printf "%.4f", a / b }')" '' '>=' 0.98
}
