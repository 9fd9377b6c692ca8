# shellcheck shell=bash disable=SC2034,SC2154
# Draining 1,000,000 pending deletes while a transaction that does nothing keeps everything that is removed meanwhile
# from being cleaned up: once with a snapshot, once with a transaction id of its own too. The yardstick is the same
# drain without it. They are queued by one DELETE, in packs; HELD_ROWS=1 queues them as rows. The memory of a fresh worker is watched during the latter.

case_drain_held() {
    local rows=${ROWS:-1000000} queue=${HELD_ROWS:+$drain_queue_rows} few=$((rounds < 3 ? rounds : 3))
    drain_setup
    for ((round = 1; round <= few; round++)); do
        progress "drain_held: round $round of $few"
        worker off
        worker on
        drain_fill "$rows"
        watch_memory
        drain_from_commit "$rows" free "$queue"
        end_watch

        drain_fill "$rows"
        hold 'SELECT FROM pg_class LIMIT 1'
        drain_from_commit "$rows" 'held by a snapshot' "$queue"
        let_go

        drain_fill "$rows"
        hold 'SELECT pg_current_xact_id()'
        drain_from_commit "$rows" 'held by a transaction id' "$queue"
        let_go
    done
    compare 'worker drains 1,000,000, xmin held by an idle snapshot; without' 'held by a snapshot' free rate 0.8
    compare 'worker drains 1,000,000, xmin held by an idle writer; without' 'held by a transaction id' free rate 0.8
    absolute "worker's private memory grows by, draining 1,000,000 (peak)" \
        "$(median memory)" MB '<=' 64
}

# hold SQL: an idle transaction that has a snapshot and has run this.
hold() {
    coproc HOLDER { sql >/dev/null; }
    holder_input=${HOLDER[1]}
    # shellcheck disable=SC2153  # coproc sets it
    holder_pid=$HOLDER_PID
    printf '%s;\n' 'BEGIN ISOLATION LEVEL REPEATABLE READ' "$1" >&"$holder_input"
    await "EXISTS (SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' AND backend_xmin IS NOT NULL)"
}

let_go() {
    echo 'COMMIT;' >&"$holder_input"
    eval "exec $holder_input>&-"
    wait "$holder_pid"
}

# What of the worker's memory is its own: resident pages that are no file's and not shared.
watch_memory() {
    local pid
    pid=$(worker_pid)
    : >"$work/memory"
    while grep -s -E '^(RssAnon|VmRSS|VmHWM)' "/proc/$pid/status" | awk '{ printf "%s %d ", $1, $2 } END { print "" }' >>"$work/memory"; do
        sleep 0.1
    done &
    watch_pid=$!
}

end_watch() {
    kill "$watch_pid"
    wait "$watch_pid" || true
    awk '/RssAnon/ { for (i = 1; i < NF; i += 2) now[$i] = $(i + 1)
            if (!first) { first = now["RssAnon:"]; line = $0 }
            if (now["RssAnon:"] > most) most = now["RssAnon:"]
            last = $0 }
        END { printf "%.1f\n# start: %s\n# end: %s\n", (most - first) / 1024, line, last }' "$work/memory" | {
        read -r grown
        record memory "$grown"
        cat >>"$raw"
    }
}
