# shellcheck shell=bash disable=SC2034,SC2154
# Draining 100,000 pending deletes, once queued as rows, as many small statements leave them, and once as packs, as one
# DELETE of that many tracked rows leaves them. The yardstick claims and settles the rows in SQL and talks to no store: of
# the ways to write that by hand the fastest here and now, which a contest before the first round finds out. Nobody would
# unpack packs by hand.
#
# The worker is idle when they are committed; its time ends when the queue is empty.

case_drain() {
    local best
    drain_setup
    round=contest
    drain_contest "$drain_rows"
    best=$(drain_best)
    echo "# best: $best" >>"$raw"
    for ((round = 1; round <= rounds; round++)); do
        progress "drain: round $round of $rounds"
        drain_by_hand "$drain_rows" yardstick "$best"
        drain_by_worker "$drain_rows" worker "$drain_queue_rows"
        drain_by_call "$drain_rows" call "$drain_queue_rows"
        drain_by_worker "$drain_rows" 'worker, packs'
    done
    compare "worker drains 100,000 deletes (SQL: $best)" worker yardstick rate 0.7
    absolute '  in keys per second' "$(printf '%.0f' "$(median worker)")" /s '>=' 50000
    compare 'worker drains 100,000 deletes of one statement (packs)' 'worker, packs' yardstick rate 0.7
    absolute '  in keys per second' "$(printf '%.0f' "$(median 'worker, packs')")" /s '>=' 50000
    compare "CALL audiostore.run('outbox')" call yardstick rate 0.7
    absolute '  in keys per second' "$(printf '%.0f' "$(median call)")" /s '>=' 50000
}

drain_rows=100000
drain_queue_rows='CALL bench.queue_rows();'
drain_variants=(by_id by_ctid unlocked_by_ctid)
drain_batches=(1000 4000 10000)

drain_setup() {
    [ -z "$(sql -c "SELECT 1 FROM pg_foreign_server WHERE srvname = 'bench_drain'")" ] || return 0
    sql -c "$(store_sql bench_drain)" -f bench/case/drain.sql >/dev/null
}

# drain_fill ROWS: a tracked table full of rows that are about to go, and an empty outbox.
drain_fill() {
    sql -c 'TRUNCATE bench.recordings' -c 'TRUNCATE audiostore.operation_rows, audiostore.operation_packs, audiostore.operation_holes' \
        -c "INSERT INTO bench.recordings SELECT i, 'uploads/u' || lpad((i % 1000)::text, 4, '0') || '/' || md5(i::text) || '.wav', i
            FROM generate_series(1, $1) i" \
        -c 'VACUUM ANALYZE bench.recordings' -c CHECKPOINT
    ask_stub reset >/dev/null
}

# The rates below are keys per second.
drain_record() {
    local ms wal
    read -r ms wal
    record "$1" "$(awk -v ms="$ms" -v keys="$2" 'BEGIN { printf "%.0f", keys * 1000 / ms }')" "$wal"
}

drain_timed() {
    awk '/^Time:/ { ms += $2 } /^WAL:/ { wal = $2 } END { print ms, wal }'
}

# drain_by_hand ROWS VARIANT 'PROCEDURE BATCH'
drain_by_hand() {
    local procedure batch
    read -r procedure batch <<<"$3"
    worker off
    drain_fill "$1"
    sql -F ' ' <<SQL | drain_timed | drain_record "$2" "$1"
$drain_queue_rows
SELECT pg_current_wal_insert_lsn() AS start \\gset
-- A plan that reads the queue in its order, whatever the statistics say.
SET enable_seqscan = off;
SET enable_sort = off;
\\timing on
CALL bench.drain_$procedure($batch);
\\timing off
SELECT 'WAL:', pg_wal_lsn_diff(pg_current_wal_insert_lsn(), :'start');
SQL
    await 'NOT EXISTS (SELECT FROM audiostore.operations)'
}

# drain_by_call ROWS VARIANT QUEUE: the last is the statement that queues them.
drain_by_call() {
    worker off
    drain_fill "$1"
    sql -F ' ' <<SQL | drain_timed | drain_record "$2" "$1"
$3
SELECT pg_current_wal_insert_lsn() AS start \\gset
\\timing on
CALL audiostore.run('outbox');
\\timing off
SELECT 'WAL:', pg_wal_lsn_diff(pg_current_wal_insert_lsn(), :'start');
SQL
    drain_check "$1"
}

# drain_by_worker ROWS VARIANT [QUEUE]
drain_by_worker() {
    worker on
    drain_fill "$1"
    drain_from_commit "$@"
}

# drain_from_commit ROWS VARIANT [QUEUE]: the commit is the starting gun; the stub says when the last key has arrived, and
# from then on we look whether the last operation is settled.
drain_from_commit() {
    STUB_PORT=$stub_port KEYS=$1 sql -F ' ' <<SQL | drain_record "$2" "$1"
BEGIN;
${3:-DELETE FROM bench.recordings;}
SELECT clock_timestamp() AS began, pg_current_wal_insert_lsn() AS start \\gset
COMMIT;
${3:+SELECT audiostore.wake() \\g /dev/null}
\\! bash -c 'exec 9<>/dev/tcp/127.0.0.1/\$STUB_PORT; printf "GET /-/wait?keys=\$KEYS HTTP/1.1\r\n\r\n" >&9; cat <&9 >/dev/null'
CALL bench.await_empty_queue();
SELECT extract(epoch FROM clock_timestamp() - :'began') * 1000,
    pg_wal_lsn_diff(pg_current_wal_insert_lsn(), :'start');
SQL
    drain_check "$1"
}

# Every key has been asked for, and nothing is left.
drain_check() {
    local keys
    read -r _ keys _ <<<"$(ask_stub counts)"
    if [ "$keys" -lt "$1" ]; then
        echo "bench: the store was asked for $keys keys instead of $1" >&2
        return 1
    fi
    await 'NOT EXISTS (SELECT FROM audiostore.operations)'
}

drain_contest() {
    local procedure batch try
    for procedure in "${drain_variants[@]}"; do
        for batch in "${drain_batches[@]}"; do
            for ((try = 1; try <= ${TRIES:-2}; try++)); do
                progress "drain: contest of the yardsticks, $procedure $batch"
                drain_by_hand "$1" "contest $procedure $batch" "$procedure $batch"
            done
        done
    done
}

drain_best() {
    awk -F '\t' '$2 ~ /^contest / && $3 > most { most = $3; best = $2 } END { sub(/^contest /, "", best); print best }' "$raw"
}
