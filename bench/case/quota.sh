# shellcheck shell=bash disable=SC2034,SC2154
# 200,000 quota checks in one statement over 10,000 workspaces, against the function as its specification writes it in
# plpgsql (with the names qualified, without which it does not run).

case_quota() {
    sql -f bench/case/quota.sql >/dev/null
    for ((round = 1; round <= rounds; round++)); do
        progress "quota: round $round of $rounds"
        timed plpgsql 'SELECT count(*) FILTER (WHERE bench.check_storage_quota(workspace, 1000)) FROM bench.checks;'
        timed ours 'SELECT count(*) FILTER (WHERE audiostore.check_storage_quota(workspace, 1000)) FROM bench.checks;'
    done
    compare 'check_storage_quota, 200,000 calls (yardstick: plpgsql)' ours plpgsql speedup 2.5
}
