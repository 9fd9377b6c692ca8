# shellcheck shell=bash disable=SC2034,SC2154
# How long an object of a local store outlives the commit of its row's DELETE, with a worker that has nothing else to
# do. The clock starts when the DELETE is sent (and not when its commit returns: that is later, so less would be
# measured) and stops when the kernel tells that the file is gone.

case_commit_to_gone() {
    local deletes=$((rounds * 100)) root=$work/gone
    as_server mkdir "$root"
    sql >/dev/null <<SQL
CREATE SERVER bench_gone FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root '$root');
CREATE TABLE bench.gone (id bigint PRIMARY KEY, key text);
CREATE INDEX ON bench.gone (key);
SELECT audiostore.track('bench.gone', 'key', 'bench_gone');
SQL
    sql -c 'TRUNCATE audiostore.operation_rows, audiostore.operation_packs, audiostore.operation_holes'
    worker on
    progress "commit_to_gone: $deletes deletes"
    round=1
    "$programs/gone" "$root" "$deletes" | while read -r from_statement from_commit; do
        record 'from statement' "$from_statement"
        record 'from commit' "$from_commit"
    done
    worker off
    for since in statement commit; do
        for percentile in 50 99 100; do
            gone_row "$since" "$percentile"
        done
    done
}

gone_row() {
    local value label="$1 to object gone, p$2" limit=()
    value=$(awk -F '\t' -v variant="from $1" '$2 == variant { print $3 }' "$raw" | sort -g |
        awk -v p="$2" '{ v[NR] = $1 } END { i = int((NR * p + 99) / 100); printf "%.2f", v[i < 1 ? 1 : i] }')
    case $2 in
        99) limit=('<=' 100) ;;
        100) label="$1 to object gone, longest" ;;
    esac
    absolute "$label" "$value" ms "${limit[@]}"
}
