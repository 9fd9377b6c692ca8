# shellcheck shell=bash disable=SC2034,SC2154
# What a case needs to measure and to say what came out. Sourced by run; needs $results, $raw and $round.
#
# A raw file has a line for each measurement: round, variant, value, bytes of WAL written meanwhile.

record() { printf '%s\t%s\t%s\t%s\n' "$round" "$1" "$2" "${3:--}" >>"$raw"; }

wal_position() { sql -c 'SELECT pg_current_wal_insert_lsn()'; }
wal_since() { sql -c "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$1')"; }

# timed VARIANT SQL...: records the milliseconds that these statements take together, their commits included.
timed() {
    local variant=$1 output
    shift
    output=$({
        echo 'SELECT pg_current_wal_insert_lsn() AS start \gset'
        printf '%s\n' '\o /dev/null' '\timing on' "$@" '\timing off' '\o'
        echo "SELECT 'WAL:', pg_wal_lsn_diff(pg_current_wal_insert_lsn(), :'start')"
        echo '\g'
    } | sql -F ' ')
    # shellcheck disable=SC2046  # two words
    record "$variant" $(awk '/^Time:/ { ms += $2 } /^WAL:/ { wal = $2 } END { printf "%.3f %s", ms, wal }' <<<"$output")
}

# rate VARIANT CLIENTS SECONDS SCRIPT: records transactions per second.
rate() {
    local start output
    start=$(wal_position)
    output=$(pgbench -n -M prepared -r -c "$2" -j 2 -T "$3" -f "$4" 2>&1) || { echo "$output" >&2; return 1; }
    record "$1" "$(awk '/^tps/ { print $3 }' <<<"$output")" "$(wal_since "$start")"
    awk -v round="$round" -v variant="$1" \
        '/^statement latencies/ { listed = 1; next } listed && /[a-zA-Z]/ { print "# " round " " variant $0 }' \
        <<<"$output" >>"$raw"
}

progress() { printf '   %s\n' "$*" >&2; }

# median VARIANT [COLUMN]
median() {
    awk -F '\t' -v variant="$1" -v column="${2:-3}" '$2 == variant && $column != "-" { print $column }' "$raw" | sort -g |
        awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

row() { printf '%-66s %12s %12s %-19s %-9s %-4s %s\n' "$@" | tee -a "$results/table.txt"; }

# compare LABEL OURS YARDSTICK FORM REACH: a row of the table. The ratio is taken round by round.
#   cost     times; ours : yardstick, at most REACH      (REACH - : for information)
#   speedup  times; yardstick : ours, at least REACH
#   rate     rates; ours : yardstick, at least REACH
compare() {
    awk -F '\t' -v label="$1" -v ours="$2" -v yardstick="$3" -v form="$4" -v reach="$5" '
        function sorted(values, n,    i, j, x) {
            for (i = 2; i <= n; i++) {
                x = values[i]
                for (j = i - 1; j > 0 && values[j] > x; j--) values[j + 1] = values[j]
                values[j + 1] = x
            }
        }
        function middle(values, n) {
            sorted(values, n)
            return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
        }
        function value(x) { return form == "rate" ? sprintf("%d/s", x) : sprintf("%.1f ms", x) }
        $2 == ours { o[$1] = $3; all_o[++no] = $3; if ($4 != "-") wal_o[++nwo] = $4 }
        $2 == yardstick { y[$1] = $3; all_y[++ny] = $3; if ($4 != "-") wal_y[++nwy] = $4 }
        END {
            for (r in o) if (r in y) ratios[++n] = form == "speedup" ? y[r] / o[r] : o[r] / y[r]
            if (!n) exit 1
            ratio = middle(ratios, n)
            met = form == "cost" ? ratio <= reach : ratio >= reach
            sign = form == "cost" ? "<=" : ">="
            wal = nwo && nwy ? sprintf("%.1f / %.1f", middle(wal_o, nwo) / 1e6, middle(wal_y, nwy) / 1e6) : ""
            printf "%s\t%s\t%s\t%.2f [%.2f..%.2f]\t%s\t%s\t%s\n", label, value(middle(all_o, no)),
                value(middle(all_y, ny)), ratio, ratios[1], ratios[n], reach == "-" ? "" : sign " " reach,
                reach == "-" ? "" : (met ? "yes" : "NO"), wal
        }' "$raw" | {
        IFS=$'\t' read -r -a cells <<<"$(sed 's/\t\t/\t \t/g; s/\t\t/\t \t/g')"
        row "${cells[@]:0:7}"
    }
}

# absolute LABEL VALUE UNIT SIGN REACH: a row without a yardstick; SIGN <= or >=, or empty for information.
absolute() {
    local met=
    if [ -n "${4:-}" ]; then met=$(awk -v v="$2" -v r="$5" -v s="$4" 'BEGIN { print (s == "<=" ? v <= r : v >= r) ? "yes" : "NO" }'); fi
    row "$1" "$2 $3" '' '' "${4:+$4 $5}" "$met" ''
}
