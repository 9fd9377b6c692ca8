# shellcheck shell=bash disable=SC2034,SC2154
# The same race as in policies.sh on a tracked table, where each deleted row has its object's delete queued.

case_policies_tracked() {
    policies_setup
    sql >/dev/null <<SQL
$(store_sql bench_aged)
CREATE INDEX ON bench.aged (key);
SELECT audiostore.track('bench.aged', 'key', 'bench_aged', size_column => 'size');
SQL
    for ((round = 1; round <= rounds; round++)); do
        progress "policies_tracked: round $round of $rounds"
        policies_race
    done
    sql -c "SELECT audiostore.untrack('bench.aged', 'key')" -c 'DROP TABLE bench.aged CASCADE' -c 'DROP PROCEDURE bench.delete_by_range, bench.delete_by_place' \
        -c 'TRUNCATE audiostore.operation_packs, audiostore.operation_holes' >/dev/null
    compare "retention of $policy_rows tracked rows; by hand" policy 'by hand' speedup 0.7
    absolute '  by hand: by range, by place' "$(median 'by range'), $(median 'by place')" ms
}
