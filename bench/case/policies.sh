# shellcheck shell=bash disable=SC2034,SC2154
# Retention by the worker's runner against the best batched DELETE by hand, on a table that nobody tracks, where nothing
# else could hide what a policy costs, and on a tracked one. Both delete a thousand rows in a transaction, in the order
# of the indexed age. By hand there are two ways that are any good, and the quicker one of the round is the yardstick:
#
#   by range   where the next batch begins is looked up in the index; what lies before that goes
#   by place   the batch's rows are looked up, and go by their ctid
#
# (DELETE ... WHERE id IN (SELECT ... LIMIT 1000), which is what one writes first, takes several times as long.)
#
# And lookups by key in that table, without and with the policy at work, those alone that ended while it was.
# Last, the preview of a policy on POLICY_PREVIEW_ROWS rows, of which 1000 are due, and how it finds them.

policy_rows=${POLICY_ROWS:-1000000}
policy_preview_rows=${POLICY_PREVIEW_ROWS:-10000000}
policy_looks=${POLICY_LOOKUP_SECONDS:-6}

case_policies() {
    policies_setup
    for ((round = 1; round <= rounds; round++)); do
        progress "policies: round $round of $rounds"
        policies_race ''
        policies_fill
        policies_look 'lookup alone'
        policies_look 'lookup meanwhile' policies_run
    done
    sql >/dev/null <<SQL
$(store_sql bench_aged)
TRUNCATE bench.aged;
SELECT audiostore.track('bench.aged', 'key', 'bench_aged', size_column => 'size');
SQL
    for ((round = 1; round <= rounds; round++)); do
        progress "policies: round $round of $rounds, tracked"
        policies_race 'tracked '
    done
    sql -c 'DROP TABLE bench.aged' -c 'DELETE FROM audiostore.operations' >/dev/null
    policies_preview
    compare "retention of $policy_rows rows, tracked by nobody; by hand" 'policy' 'by hand' speedup 0.7
    compare "retention of $policy_rows tracked rows; by hand" 'tracked policy' 'tracked by hand' speedup 0.7
    absolute '  by hand: by range, by place' "$(median 'by range'), $(median 'by place')" ms
    compare 'lookup by key, p99 meanwhile; without' 'lookup meanwhile' 'lookup alone' cost 2
    compare "preview of 1,000 due in $policy_preview_rows rows; counting them by hand" 'preview' 'count by hand' cost 2
    absolute "  the preview's plan: $(cat "$results/policies_plan")" "$(median preview)" ms
}

policies_setup() {
    sql >/dev/null <<SQL
CREATE TABLE bench.aged (id bigint PRIMARY KEY, key text, size bigint, made timestamptz);
CREATE INDEX ON bench.aged (made);
CREATE PROCEDURE bench.delete_by_range() LANGUAGE plpgsql AS \$\$
DECLARE since timestamptz := '-infinity'; upto timestamptz; before timestamptz := now() - interval '1 day';
BEGIN
    LOOP
        upto := (SELECT made FROM bench.aged WHERE made >= since AND made < before ORDER BY made OFFSET 1000 LIMIT 1);
        DELETE FROM bench.aged WHERE made >= since AND made < coalesce(upto, before);
        COMMIT;
        EXIT WHEN upto IS NULL;
        since := upto;
    END LOOP;
END \$\$;
CREATE PROCEDURE bench.delete_by_place() LANGUAGE plpgsql AS \$\$
DECLARE since timestamptz := '-infinity'; upto timestamptz; deleted bigint;
BEGIN
    LOOP
        WITH old AS (SELECT ctid, made FROM bench.aged WHERE made >= since AND made < now() - interval '1 day' ORDER BY made LIMIT 1000),
        gone AS (DELETE FROM bench.aged WHERE ctid = ANY (ARRAY(SELECT ctid FROM old)))
        SELECT count(*), max(made) INTO deleted, upto FROM old;
        EXIT WHEN deleted = 0;
        since := upto;
        COMMIT;
    END LOOP;
END \$\$;
SQL
}

policies_fill() {
    sql -c 'TRUNCATE bench.aged' -c 'DELETE FROM audiostore.operations' \
        -c "INSERT INTO bench.aged SELECT i, 'k/' || md5(i::text), i, now() - interval '2 days' + i * interval '1 millisecond'
        FROM generate_series(1, $policy_rows) i" \
        -c "INSERT INTO bench.aged SELECT -i, 'young/' || i, i, now() FROM generate_series(1, 10000) i" \
        -c 'DELETE FROM audiostore.operations' -c 'VACUUM ANALYZE bench.aged' -c CHECKPOINT
}

# policies_race PREFIX: each way once, on the same rows.
policies_race() {
    policies_fill
    timed "$1by range" 'CALL bench.delete_by_range();'
    policies_all_gone
    policies_fill
    timed "$1by place" 'CALL bench.delete_by_place();'
    policies_all_gone
    awk -F '\t' -v OFS='\t' -v round="$round" -v range="$1by range" -v place="$1by place" -v hand="$1by hand" '
        $1 == round && ($2 == range || $2 == place) && (best == "" || $3 < best) { best = $3; wal = $4 }
        END { print round, hand, best, wal }' "$raw" >"$raw.best"
    cat "$raw.best" >>"$raw"
    rm "$raw.best"
    policies_fill
    sql -c "SELECT audiostore.add_retention_policy('bench.aged', '1 day', 'made')" >/dev/null
    timed "$1policy" "CALL audiostore.run('policies');"
    policies_all_gone
    sql -c 'SELECT audiostore.remove_policy(id) FROM audiostore.policies' >/dev/null
}

policies_run() {
    sql -c "SELECT audiostore.add_retention_policy('bench.aged', '1 day', 'made')" -c "CALL audiostore.run('policies')" \
        -c 'SELECT audiostore.remove_policy(id) FROM audiostore.policies' >/dev/null
}

policies_all_gone() { await 'NOT EXISTS (SELECT FROM bench.aged WHERE id > 0)'; }

# policies_look VARIANT [COMMAND]: the 99th percentile of the milliseconds of lookups of rows that stay, one client; of
# those that ended while the command ran.
policies_look() {
    local script=$results/policies_lookup.sql log=$results/policies_log since=0 until=9999999999
    printf '%s\n' '\set id random(1, 10000)' 'SELECT size FROM bench.aged WHERE id = -(:id::bigint);' >"$script"
    rm -f "$log".*
    pgbench -n -M prepared -c 1 -j 1 -T "$policy_looks" -f "$script" -l --log-prefix="$log" >/dev/null 2>&1 &
    if [ -n "${2:-}" ]; then
        sleep 1
        since=$(date +%s.%N)
        "$2"
        until=$(date +%s.%N)
    fi
    wait $!
    record "$1" "$(awk -v since="$since" -v until="$until" '
        { at = $5 + $6 / 1e6 } at >= since && at <= until { print $3 }' "$log".* | sort -n |
        awk '{ v[NR] = $1 } END { printf "%.4f", v[int(NR * 0.99) + 1] / 1000 }')"
    rm -f "$log".*
}

policies_preview() {
    progress "policies: a preview on $policy_preview_rows rows"
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
        timed 'preview' 'SELECT p.* FROM audiostore.policies, audiostore.preview_policy(id) p;'
    done
    sql -c "LOAD 'auto_explain'" -c 'SET auto_explain.log_min_duration = 0' -c 'SET auto_explain.log_nested_statements = on' \
        -c 'SET client_min_messages = log' -c 'SELECT p.* FROM audiostore.policies, audiostore.preview_policy(id) p' 2>&1 |
        sed -n 's/^.*-> *\([A-Za-z ]*Scan.* on many\).*/\1/p' | head -n 1 >"$results/policies_plan"
    sql -c 'SELECT audiostore.remove_policy(id) FROM audiostore.policies' -c 'DROP TABLE bench.many' >/dev/null
}
