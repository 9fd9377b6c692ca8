# shellcheck shell=bash disable=SC2034,SC2154
# DELETE of 100,000 rows. Three times: on copies of audio_uploads and audio_chunks (which refers to it and goes with
# it), without any chunks and with three for each upload; and on a table of three columns, where there is next to
# nothing that the cost of tracking could hide behind. The untracked tables have the same indexes.

delete_rows=100000

case_delete() {
    worker off
    delete_setup
    for ((round = 1; round <= rounds; round++)); do
        progress "delete: round $round of $rounds"
        for what in uploads chunked bare; do
            for tracked in untracked tracked; do
                delete_fill "$what" "$tracked"
                timed "$what $tracked" "DELETE FROM bench.$(delete_table "$what")_$tracked;"
                delete_check "$what" "$tracked"
            done
        done
        # The limit: the same table with the two least things that any such design does.
        for limit in idle queue; do
            delete_fill bare "$limit"
            timed "bare $limit" "DELETE FROM bench.bare_$limit;"
        done
    done
    compare 'DELETE of 100,000 tracked uploads (no chunks, foreign key)' 'uploads tracked' 'uploads untracked' cost 1.5
    compare 'DELETE of 100,000 tracked uploads, three chunks each' 'chunked tracked' 'chunked untracked' cost 1.5
    compare 'DELETE of 100,000 tracked rows (id, key, size)' 'bare tracked' 'bare untracked' cost 1.5
    compare '  limit: a trigger that gets the rows and does nothing' 'bare idle' 'bare untracked' cost -
    compare '  limit: one that inserts the keys into a table, in SQL' 'bare queue' 'bare untracked' cost -
}

delete_table() { if [ "$1" = bare ]; then echo bare; else echo uploads; fi; }

delete_setup() {
    sql >/dev/null <<SQL
$(store_sql bench_uploads) $(store_sql bench_bare)
CREATE TABLE bench.uploads_tracked (LIKE audiostore.audio_uploads INCLUDING ALL);
CREATE TABLE bench.chunks_tracked (LIKE audiostore.audio_chunks INCLUDING ALL,
    FOREIGN KEY (upload_id) REFERENCES bench.uploads_tracked ON DELETE CASCADE);
CREATE TABLE bench.bare_tracked (id bigint PRIMARY KEY, key text, size bigint);
CREATE INDEX ON bench.bare_tracked (key);
SELECT audiostore.track('bench.uploads_tracked', 'storage_path', store_column => 'store', size_column => 'file_size',
                        live_when => \$\$status <> 'deleted'\$\$);
SELECT audiostore.track('bench.chunks_tracked', 'chunk_path', store_column => 'store', size_column => 'chunk_size');
SELECT audiostore.track('bench.bare_tracked', 'key', 'bench_bare');
CREATE TABLE bench.uploads_untracked (LIKE bench.uploads_tracked INCLUDING ALL);
CREATE TABLE bench.chunks_untracked (LIKE bench.chunks_tracked INCLUDING ALL,
    FOREIGN KEY (upload_id) REFERENCES bench.uploads_untracked ON DELETE CASCADE);
CREATE TABLE bench.bare_untracked (LIKE bench.bare_tracked INCLUDING ALL);
CREATE TABLE bench.bare_idle (LIKE bench.bare_tracked INCLUDING ALL);
CREATE TABLE bench.bare_queue (LIKE bench.bare_tracked INCLUDING ALL);
$(limits_sql queue)
CREATE TRIGGER idle AFTER DELETE ON bench.bare_idle REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION bench.idle();
CREATE TRIGGER into_queue AFTER DELETE ON bench.bare_queue REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION bench.into_queue();
SQL
}

delete_fill() {
    local name chunks=bench.chunks_$2 key="'uploads/u' || lpad((i % 1000)::text, 4, '0') || '/' || md5(i::text) || '.wav'"
    name=bench.$(delete_table "$1")_$2
    sql -c "TRUNCATE $name CASCADE" -c 'TRUNCATE audiostore.operation_rows, audiostore.operation_packs, audiostore.operation_holes, bench.queue' 2>/dev/null
    if [ "$1" = bare ]; then
        sql -c "INSERT INTO $name SELECT i, $key, i FROM generate_series(1, $delete_rows) i"
    else
        sql -c "INSERT INTO $name (original_filename, file_size, store, storage_path)
            SELECT 'take ' || i || '.wav', i, 'bench_uploads', $key FROM generate_series(1, $delete_rows) i"
    fi
    if [ "$1" = chunked ]; then
        sql -c "INSERT INTO $chunks (upload_id, chunk_index, total_chunks, start_time, end_time, duration, chunk_filename)
            SELECT id, n, 3, n * 300, n * 300 + 300, 300, 'chunk_' || id || '_' || lpad(n::text, 3, '0') || '.wav'
            FROM $name, generate_series(0, 2) n"
    fi
    if [ "$1" != bare ]; then sql -c "VACUUM ANALYZE $chunks"; fi
    sql -c "VACUUM ANALYZE $name" -c CHECKPOINT
}

# All rows are gone, and every key is queued, or none.
delete_check() {
    local expected=0
    if [ "$2" = tracked ]; then expected=$delete_rows; fi
    await "NOT EXISTS (SELECT FROM bench.$(delete_table "$1")_$2)
        AND (SELECT count(*) = $expected FROM audiostore.operations WHERE kind = 'delete')"
}
