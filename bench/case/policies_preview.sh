# shellcheck shell=bash disable=SC2034,SC2154
# The preview of a policy on POLICY_PREVIEW_ROWS rows, of which 1000 are due, against the same count by hand; and how it
# finds them.

policy_preview_rows=${POLICY_PREVIEW_ROWS:-10000000}

case_policies_preview() {
    progress "policies_preview: $policy_preview_rows rows"
    sql >/dev/null <<SQL
CREATE TABLE bench.many (id bigint, size bigint, made timestamptz) WITH (autovacuum_enabled = off);
INSERT INTO bench.many SELECT i, i, now() - CASE WHEN i % ($policy_preview_rows / 1000) = 0 THEN interval '2 days' ELSE '0' END
    FROM generate_series(1, $policy_preview_rows) i;
CREATE INDEX many_made ON bench.many (made);
VACUUM ANALYZE bench.many;
SELECT audiostore.add_retention_policy('bench.many', '1 day', 'made', 'size > 0');
SQL
    for ((round = 1; round <= rounds; round++)); do
        timed 'count by hand' "SELECT count(*), sum(size) FROM bench.many WHERE made < now() - interval '1 day' AND size > 0;"
        timed preview 'SELECT p.* FROM audiostore.policies, audiostore.preview_policy(id) p;'
    done
    sql -c "LOAD 'auto_explain'" -c 'SET auto_explain.log_min_duration = 0' -c 'SET auto_explain.log_nested_statements = on' \
        -c 'SET client_min_messages = log' -c 'SELECT p.* FROM audiostore.policies, audiostore.preview_policy(id) p' 2>&1 |
        sed -n 's/^.*-> *\([A-Za-z ]*Scan.* on many\).*/\1/p' | head -n 1 >"$results/policies_plan"
    sql -c 'SELECT audiostore.remove_policy(id) FROM audiostore.policies' -c 'DROP TABLE bench.many' >/dev/null
    compare "preview of 1,000 due in $policy_preview_rows rows; counting them by hand" preview 'count by hand' cost 2
    absolute "  its plan: $(cat "$results/policies_plan")" "$(median preview)" ms
}
