# shellcheck shell=bash disable=SC2034,SC2154
# Retention by the worker against the best batched DELETE by hand: ranges of the indexed age, a thousand rows each, in
# transactions of their own. And lookups by key in that table, without and with the policy at work. The preview of a policy
# on POLICY_ROWS rows, of which 1000 are due, against the same count by hand with the index.

policy_rows=${POLICY_ROWS:-1000000}
policy_looks=${POLICY_LOOKUP_SECONDS:-8}

case_policies() {
    policies_setup
    for ((round = 1; round <= rounds; round++)); do
        progress "policies: round $round of $rounds"
        policies_fill
        timed 'by hand' 'CALL bench.delete_old();'
        policies_fill
        sql -c "SELECT audiostore.add_retention_policy('bench.aged', '1 day', 'made')" >/dev/null
        timed 'policy' "CALL audiostore.run('policies');"
        await 'NOT EXISTS (SELECT FROM bench.aged WHERE id > 0)'
        sql -c 'SELECT audiostore.remove_policy(id) FROM audiostore.policies' >/dev/null
        policies_fill
        policies_look 'lookup alone'
        sql -c "SELECT audiostore.add_retention_policy('bench.aged', '1 day', 'made')" >/dev/null
        sql -c "CALL audiostore.run('policies')" >/dev/null &
        policies_look 'lookup meanwhile'
        wait $!
        sql -c 'SELECT audiostore.remove_policy(id) FROM audiostore.policies' >/dev/null
        policies_fill
        sql -c "SELECT audiostore.add_retention_policy('bench.aged', '1 day', 'made', 'id <= 1000')" \
            -c "UPDATE bench.aged SET made = now() WHERE id > 1000" -c 'VACUUM ANALYZE bench.aged' >/dev/null
        timed 'count by hand' "SELECT count(*), sum(size) FROM bench.aged WHERE made < now() - interval '1 day' AND id <= 1000;"
        timed 'preview' 'SELECT p.* FROM audiostore.policies, audiostore.preview_policy(id) p;'
        sql -c 'SELECT audiostore.remove_policy(id) FROM audiostore.policies' >/dev/null
    done
    compare "retention of $policy_rows rows, tracked by nobody" 'policy' 'by hand' speedup 0.7
    compare 'lookup by key, p99 meanwhile' 'lookup meanwhile' 'lookup alone' cost 2
    compare "preview of 1,000 due in $policy_rows rows" 'preview' 'count by hand' cost 2
}

policies_setup() {
    sql >/dev/null <<SQL
CREATE TABLE bench.aged (id bigint PRIMARY KEY, key text, size bigint, made timestamptz);
CREATE INDEX ON bench.aged (made);
CREATE PROCEDURE bench.delete_old() LANGUAGE plpgsql AS \$\$
DECLARE last timestamptz := '-infinity'; upto timestamptz; deleted bigint;
BEGIN
    LOOP
        WITH old AS (SELECT ctid, made FROM bench.aged WHERE made >= last AND made < now() - interval '1 day' ORDER BY made LIMIT 1000),
        gone AS (DELETE FROM bench.aged WHERE ctid = ANY (ARRAY(SELECT ctid FROM old)))
        SELECT count(*), max(made) INTO deleted, upto FROM old;
        EXIT WHEN deleted = 0;
        last := upto;
        COMMIT;
    END LOOP;
END \$\$;
SQL
}

policies_fill() {
    sql -c 'TRUNCATE bench.aged' -c "INSERT INTO bench.aged SELECT i, 'k/' || md5(i::text), i, now() - interval '2 days' + i * interval '1 millisecond'
        FROM generate_series(1, $policy_rows) i" \
        -c "INSERT INTO bench.aged SELECT -i, 'young/' || i, i, now() FROM generate_series(1, 10000) i" -c 'VACUUM ANALYZE bench.aged' -c CHECKPOINT
}

# policies_look VARIANT: the 99th percentile of the milliseconds of lookups of rows that stay, one client.
policies_look() {
    local script=$results/policies_lookup.sql log=$results/policies_log
    printf '%s\n' '\set id random(1, 10000)' 'SELECT size FROM bench.aged WHERE id = -(:id::bigint);' >"$script"
    rm -f "$log".*
    pgbench -n -M prepared -c 1 -j 1 -T "$policy_looks" -f "$script" -l --log-prefix="$log" >/dev/null 2>&1
    record "$1" "$(cat "$log".* | awk '{ print $3 }' | sort -n | awk '{ v[NR] = $1 } END { printf "%.4f", v[int(NR * 0.99) + 1] / 1000 }')"
    rm -f "$log".*
}
