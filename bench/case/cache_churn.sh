# shellcheck shell=bash disable=SC2034,SC2154
# Puts at full rate with times to live from 1 second to 30 days, the worker on, autovacuum at its defaults: the files of
# the cache against the bytes of the entries that are alive, every second.

case_cache_churn() {
    local seconds=${CHURN_SECONDS:-600} entries=${CHURN_ENTRIES:-50000} client
    cache_empty
    cache_settings "cache_max_entries = $entries" 'cache_durability = logged'
    worker on
    "$programs/cache" churn 4 "$seconds" 10240 0 >"$work/churn" &
    client=$!
    round=1
    # A cache of a few entries is all page headers.
    await 'count(*) > 2000 FROM audiostore.audio_chunk_cache'
    while kill -0 $client 2>/dev/null; do
        sql -F ' ' -c "SELECT (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('audiostore.audio_chunk_cache')),
            (SELECT sum(length(audio_data)) FROM audiostore.audio_chunk_cache WHERE expires_at > clock_timestamp()),
            (SELECT count(*) FROM audiostore.audio_chunk_cache WHERE expires_at > clock_timestamp())" >"$work/sample"
        read -r size live count <"$work/sample"
        record ratio "$(awk -v s="$size" -v l="$live" 'BEGIN { print s / l }')"
        echo "# size $size live $live entries $count" >>"$raw"
        sleep 1
    done
    wait $client
    worker off
    echo "# puts: rate p50 p99 p99.9 max: $(cat "$work/churn")" >>"$raw"
    absolute "churn, ${seconds} s: puts per second" "$(cut -d' ' -f1 "$work/churn")" ''
    absolute '   files by live bytes, largest of all samples' \
        "$(awk -F '\t' '$2 == "ratio" && $3 > m { m = $3 } END { printf "%.2f", m }' "$raw")" '' '<=' 2
    absolute '   files by live bytes, median' "$(median ratio)" ''
    absolute '   entries at the end (limit '"$entries"')' "$(sql -c 'SELECT count(*) FROM audiostore.audio_chunk_cache')" ''
    cache_empty
}
