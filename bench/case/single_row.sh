# shellcheck shell=bash disable=SC2034,SC2154
# Single rows from 8 clients, each statement a transaction of its own. With the worker off the queue just grows; with
# the worker on, worker and store take their share of the same processors. The table holds 100,000 other rows.

case_single_row() {
    local script=$work/single_row seconds=${SECONDS_EACH:-5}
    sql >/dev/null <<SQL
$(store_sql bench_rows)
CREATE TABLE bench.rows_tracked (id bigint PRIMARY KEY, key text, size bigint);
CREATE INDEX ON bench.rows_tracked (key);
SELECT audiostore.track('bench.rows_tracked', 'key', 'bench_rows');
CREATE TABLE bench.rows_untracked (LIKE bench.rows_tracked INCLUDING ALL);
SQL
    for tracked in untracked tracked; do
        cat >"$script.$tracked" <<SQL
\\set id random(1, 1000000000000)
INSERT INTO bench.rows_$tracked (id, key, size) VALUES (:id, 'uploads/' || :id || '.wav', 1000);
DELETE FROM bench.rows_$tracked WHERE id = :id;
SQL
    done
    for ((round = 1; round <= rounds; round++)); do
        progress "single_row: round $round of $rounds"
        single_row_refill
        rate untracked 8 "$seconds" "$script.untracked"
        single_row_refill
        rate 'tracked, worker off' 8 "$seconds" "$script.tracked"
        single_row_refill
        worker on
        rate 'tracked, worker on' 8 "$seconds" "$script.tracked"
        worker off
    done
    compare 'INSERT, then DELETE of one row, 8 clients, worker off' 'tracked, worker off' untracked rate 0.85
    compare 'INSERT, then DELETE of one row, 8 clients, worker on' 'tracked, worker on' untracked rate 0.85
}

single_row_refill() {
    sql -c 'TRUNCATE bench.rows_untracked, bench.rows_tracked' -c 'TRUNCATE audiostore.operation_rows, audiostore.operation_packs, audiostore.operation_holes'
    for tracked in untracked tracked; do
        sql -c "INSERT INTO bench.rows_$tracked SELECT -i, 'uploads/' || -i || '.wav', 1000 FROM generate_series(1, 100000) i"
    done
    sql -c 'VACUUM ANALYZE bench.rows_untracked, bench.rows_tracked' -c CHECKPOINT
}
