# shellcheck shell=bash disable=SC2034,SC2154
# An audit of 1,000,000 objects against as many rows: audit_store() in a session, and the worker, which lists four ranges
# side by side; and once more where the index on the keys is in the order of a language, so that rows have to be sorted.
# The yardstick is listing alone: the keys of the same store, counted through a foreign table.

case_audit() {
    local keys=${KEYS:-1000000} few=$((rounds < 3 ? rounds : 3))
    sql <<SQL
CREATE SERVER listed FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 's3', bucket 'listed$keys', region 'eu-west-1', endpoint 'http://127.0.0.1:$stub_port', addressing 'path');
CREATE USER MAPPING FOR PUBLIC SERVER listed OPTIONS (access_key_id 'stub', secret_access_key 'stub');
CREATE FOREIGN TABLE bench.listed (key text, size bigint) SERVER listed;
CREATE TABLE bench.recordings (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, path text, bytes bigint, title text);
SELECT audiostore.track('bench.recordings', 'path', store => 'listed', size_column => 'bytes');
INSERT INTO bench.recordings (path, bytes, title)
    SELECT format('listed/%s.opus', lpad(n::text, 10, '0')), 4096, 'a title' FROM generate_series(0, $keys - 1) n;
VACUUM ANALYZE bench.recordings;
SQL
    for ((round = 1; round <= few; round++)); do
        progress "audit: round $round of $few"
        timed listing 'SELECT count(*) FROM bench.listed;'
        timed audit_store "SELECT count(*) FROM audiostore.audit_store('listed');"
        worker off
        worker on
        watch_memory
        audit_by_worker worker "$keys"
        end_watch
    done
    # No index in byte order: the rows have to be sorted.
    sql <<SQL
ALTER TABLE bench.recordings ALTER COLUMN path TYPE text COLLATE "en-x-icu";
VACUUM ANALYZE bench.recordings;
SQL
    for ((round = 1; round <= few; round++)); do
        progress "audit, sorting: round $round of $few"
        audit_by_worker sorting "$keys"
    done
    worker off
    compare "audit of 1,000,000 by the worker; listing alone" worker listing cost 1.3
    compare "audit_store() of 1,000,000; listing alone" audit_store listing cost 1.3
    compare "audit of 1,000,000 by the worker, rows to be sorted; listing alone" sorting listing cost -
    absolute "worker's private memory grows by, auditing 1,000,000 (peak)" "$(median memory)" MB '<=' 64
    sql -q -c "SELECT audiostore.untrack('bench.recordings', 'path')" -c 'SET client_min_messages = warning' \
        -c 'DROP TABLE bench.recordings' -c 'DROP SERVER listed CASCADE' >/dev/null
}

# audit_by_worker VARIANT KEYS: from its start to its end, by its own account.
audit_by_worker() {
    local audit result
    audit=$(sql -c "SELECT audiostore.start_audit('listed')")
    await "state NOT IN ('queued', 'running') FROM audiostore.audits WHERE id = $audit"
    result=$(sql -c "SELECT objects, rows, findings, complete FROM audiostore.audits WHERE id = $audit")
    if [ "$result" != "$2|$2|0|t" ]; then
        echo "audit: $result instead of $2 objects and rows and no findings" >&2
        return 1
    fi
    record "$1" "$(sql -c "SELECT EXTRACT(epoch FROM finished_at - started_at) * 1000 FROM audiostore.audits WHERE id = $audit")"
}
