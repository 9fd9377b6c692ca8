# shellcheck shell=bash disable=SC2034,SC2154
# report() on a database with REPORT_ROWS tracked rows (10,000,000): before any accounting, when it has to estimate, and
# after one. The yardstick is counting them, which is what a report that does not estimate would do.

report_rows=${REPORT_ROWS:-10000000}

case_report() {
    progress "report: $report_rows rows"
    sql >/dev/null <<SQL
$(store_sql bench_report)
CREATE TABLE bench.recordings (id bigint PRIMARY KEY, path text, bytes bigint, storage_class text, state text) WITH (autovacuum_enabled = off);
INSERT INTO bench.recordings SELECT i, 'recordings/' || md5(i::text) || '.wav', 1000000 + i % 1000, CASE i % 4 WHEN 0 THEN 'GLACIER' END,
    CASE i % 10 WHEN 0 THEN 'gone' ELSE 'live' END FROM generate_series(1, $report_rows) i;
CREATE INDEX ON bench.recordings (path);
SELECT audiostore.track('bench.recordings', 'path', 'bench_report', size_column => 'bytes', live_when => \$\$state <> 'gone'\$\$);
INSERT INTO audiostore.runs (task, started_at, finished_at) SELECT 'policies', now() - i * interval '20 s', now() - i * interval '20 s' + interval '1 s'
    FROM generate_series(1, 100000) i;
SELECT coalesce(to_regclass('audiostore.operation_rows'), 'audiostore.operations') AS queue \gset
INSERT INTO :queue (kind, store, key, not_before) SELECT 'delete', 'bench_report', 'd/' || i, now() + interval '7 days' FROM generate_series(1, 1000000) i;
SQL
    sql -c 'VACUUM ANALYZE' -c CHECKPOINT
    for ((round = 1; round <= rounds; round++)); do
        progress "report: round $round of $rounds"
        timed estimated 'SELECT audiostore.report();'
        timed counted 'SELECT * FROM audiostore.storage_cost();'
    done
    sql -c "CALL audiostore.run('accounting')"
    for ((round = 1; round <= rounds; round++)); do timed accounted 'SELECT audiostore.report();'; done
    compare "report() of $report_rows tracked rows, estimating; counting them" estimated counted cost -
    absolute '  the slowest one, estimating' "$(awk -F '\t' '$2 == "estimated" && $3 > m { m = $3 } END { printf "%.0f", m }' "$raw")" ms '<=' 5000
    absolute '  the slowest one, after an accounting' "$(awk -F '\t' '$2 == "accounted" && $3 > m { m = $3 } END { printf "%.0f", m }' "$raw")" ms '<=' 5000
    sql -c "SELECT audiostore.untrack('bench.recordings', 'path')" -c 'DROP TABLE bench.recordings' \
        -c 'TRUNCATE audiostore.operation_rows, audiostore.runs' >/dev/null
}
