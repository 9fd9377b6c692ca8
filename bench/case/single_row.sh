# shellcheck shell=bash disable=SC2034,SC2154
# Single rows from 8 clients, each statement a transaction of its own. With the worker off the queue just grows; with
# the worker on, worker and store take their share of the same processors. Twice: on a copy of audio_uploads, and on a
# table of three columns, where there is next to nothing that the cost of tracking could hide behind. The untracked
# tables have the same indexes; each holds 100,000 other rows.

case_single_row() {
    local what limit label
    worker off
    single_row_setup
    for ((round = 1; round <= rounds; round++)); do
        progress "single_row: round $round of $rounds"
        for what in uploads bare; do
            single_row_rate "$what" untracked "$what untracked"
            single_row_rate "$what" tracked "$what, worker off"
            single_row_rate "$what" tracked "$what, worker on" on
        done
        # The limit: the same table with the two least things that any such design does.
        for limit in idle queue; do single_row_rate bare "$limit" "bare $limit"; done
        # What a large statement costs others until its deletes are done.
        single_row_rate bare tracked 'bare, behind a large statement' off behind
    done
    for what in uploads bare; do
        label="INSERT, then DELETE of one upload, 8 clients"
        if [ "$what" = bare ]; then label='INSERT, then DELETE of one row (id, key, size), 8 clients'; fi
        compare "$label, worker off" "$what, worker off" "$what untracked" rate 0.85
        compare "$label, worker on" "$what, worker on" "$what untracked" rate 0.85
    done
    compare "$label, 100,000 other deletes of one statement pending" 'bare, behind a large statement' 'bare untracked' rate -
    compare '  limit: triggers that get the rows and do nothing' 'bare idle' 'bare untracked' rate -
    compare '  limit: ones that keep a queue of keys in a table, in SQL' 'bare queue' 'bare untracked' rate -
}

single_row_setup() {
    sql >/dev/null <<SQL
$(store_sql bench_rows)
CREATE TABLE bench.single_bare_tracked (id bigint PRIMARY KEY, key text, size bigint);
CREATE INDEX ON bench.single_bare_tracked (key);
CREATE TABLE bench.single_uploads_tracked (LIKE audiostore.audio_uploads INCLUDING ALL);
CREATE TABLE bench.single_bare_untracked (LIKE bench.single_bare_tracked INCLUDING ALL);
CREATE TABLE bench.single_uploads_untracked (LIKE bench.single_uploads_tracked INCLUDING ALL);
SELECT audiostore.track('bench.single_bare_tracked', 'key', 'bench_rows');
SELECT audiostore.track('bench.single_uploads_tracked', 'storage_path', store_column => 'store', size_column => 'file_size',
                        live_when => \$\$status <> 'deleted'\$\$);
CREATE TABLE bench.single_bare_idle (LIKE bench.single_bare_tracked INCLUDING ALL);
CREATE TABLE bench.single_bare_queue (LIKE bench.single_bare_tracked INCLUDING ALL);
$(limits_sql single_queue)
CREATE FUNCTION bench.single_unqueued() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN DELETE FROM bench.single_queue q USING come c WHERE q.key = c.key; RETURN NULL; END';
CREATE TRIGGER gone AFTER DELETE ON bench.single_bare_idle REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION bench.idle();
CREATE TRIGGER come AFTER INSERT ON bench.single_bare_idle REFERENCING NEW TABLE AS come
    FOR EACH STATEMENT EXECUTE FUNCTION bench.idle();
CREATE TRIGGER gone AFTER DELETE ON bench.single_bare_queue REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION bench.into_single_queue();
CREATE TRIGGER come AFTER INSERT ON bench.single_bare_queue REFERENCING NEW TABLE AS come
    FOR EACH STATEMENT EXECUTE FUNCTION bench.single_unqueued();
SQL
    for tracked in untracked tracked idle queue; do
        cat >"$work/single_row.bare_$tracked" <<SQL
\\set id random(1, 1000000000000)
INSERT INTO bench.single_bare_$tracked (id, key, size) VALUES (:id, 'uploads/' || :id || '.wav', 1000);
DELETE FROM bench.single_bare_$tracked WHERE id = :id;
SQL
        case $tracked in idle | queue) continue ;; esac
        cat >"$work/single_row.uploads_$tracked" <<SQL
\\set id random(1, 1000000000000)
INSERT INTO bench.single_uploads_$tracked (id, original_filename, file_size, mime_type, store, storage_path)
    VALUES (lpad(:id::text, 32, '0')::uuid, 'take ' || :id || '.wav', 1000, 'audio/wav', 'bench_rows', 'uploads/' || :id || '.wav');
DELETE FROM bench.single_uploads_$tracked WHERE id = lpad(:id::text, 32, '0')::uuid;
SQL
    done
}

# single_row_rate TABLE TRACKED VARIANT [on|off [behind]]
single_row_rate() {
    local worker=${4:-off}
    single_row_refill "$1_$2"
    if [ "${5:-}" = behind ]; then
        sql -c "INSERT INTO bench.single_$1_$2 SELECT i, 'uploads/' || i || '/first.wav', 1000 FROM generate_series(1, 100000) i" \
            -c "DELETE FROM bench.single_$1_$2 WHERE id > 0" -c "VACUUM bench.single_$1_$2" -c CHECKPOINT
    fi
    if [ "$worker" = on ]; then worker on; fi
    rate "$3" 8 "${SECONDS_EACH:-5}" "$work/single_row.$1_$2"
    if [ "$worker" = on ]; then worker off; fi
}

single_row_refill() {
    local table=bench.single_$1
    # A key may be held by any table of its store: the other ones are empty.
    sql -c 'TRUNCATE bench.single_bare_tracked, bench.single_uploads_tracked' -c "TRUNCATE $table" -c 'TRUNCATE audiostore.operation_rows, audiostore.operation_packs, audiostore.operation_holes, bench.single_queue'
    case $1 in
        bare_*) sql -c "INSERT INTO $table SELECT -i, 'uploads/' || -i || '.wav', 1000 FROM generate_series(1, 100000) i" ;;
        uploads_*) sql -c "INSERT INTO $table (original_filename, file_size, store, storage_path)
            SELECT 'take ' || i || '.wav', i, 'bench_rows', 'uploads/' || -i || '.wav' FROM generate_series(1, 100000) i" ;;
    esac
    sql -c "VACUUM ANALYZE $table" -c CHECKPOINT
}
