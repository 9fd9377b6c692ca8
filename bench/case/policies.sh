# shellcheck shell=bash disable=SC2034,SC2154
# Retention by the worker's runner against the best batched DELETE by hand, on a table that nobody tracks, where nothing
# else can hide what a policy costs. Both delete a thousand rows in a transaction, in the order of the indexed age. By
# hand there are two ways that are any good, and the quicker one of the round is the yardstick:
#
#   by range   where the next batch begins is looked up in the index; what lies before that goes
#   by place   the batch's rows are looked up, and go by their ctid
#
# (DELETE ... WHERE id IN (SELECT ... LIMIT 1000), which is what one writes first, takes several times as long.)
#
# And lookups by key in that table, without the policy and while it is at work.

policy_rows=${POLICY_ROWS:-1000000}
policy_looks=${POLICY_LOOKUP_SECONDS:-6}

case_policies() {
    policies_setup
    for ((round = 1; round <= rounds; round++)); do
        progress "policies: round $round of $rounds"
        policies_race
        policies_fill
        policies_look 'lookup alone'
        policies_look 'lookup meanwhile' policies_run
    done
    sql -c 'DROP TABLE bench.aged CASCADE' -c 'DROP PROCEDURE bench.delete_by_range, bench.delete_by_place' >/dev/null
    compare "retention of $policy_rows rows, tracked by nobody; by hand" policy 'by hand' speedup 0.7
    absolute '  by hand: by range, by place' "$(median 'by range'), $(median 'by place')" ms
    compare 'lookup by key, p99 meanwhile; without' 'lookup meanwhile' 'lookup alone' cost 2
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
    sql -c 'TRUNCATE bench.aged' -c 'TRUNCATE audiostore.operation_packs, audiostore.operation_holes' \
        -c "INSERT INTO bench.aged SELECT i, 'k/' || md5(i::text), i, now() - interval '2 days' + i * interval '1 millisecond'
        FROM generate_series(1, $policy_rows) i" \
        -c "INSERT INTO bench.aged SELECT -i, 'young/' || i, i, now() FROM generate_series(1, 10000) i" \
        -c 'VACUUM ANALYZE bench.aged' -c CHECKPOINT
}

# policies_race: each way once, on the same rows.
policies_race() {
    policies_fill
    timed "by range" 'CALL bench.delete_by_range();'
    policies_all_gone
    policies_fill
    timed "by place" 'CALL bench.delete_by_place();'
    policies_all_gone
    awk -F '\t' -v OFS='\t' -v round="$round" -v range="by range" -v place="by place" -v hand="by hand" '
        $1 == round && ($2 == range || $2 == place) && (best == "" || $3 < best) { best = $3; wal = $4 }
        END { print round, hand, best, wal }' "$raw" >"$raw.best"
    cat "$raw.best" >>"$raw"
    rm "$raw.best"
    policies_fill
    sql -c "SELECT audiostore.add_retention_policy('bench.aged', '1 day', 'made')" >/dev/null
    timed policy "CALL audiostore.run('policies');"
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
