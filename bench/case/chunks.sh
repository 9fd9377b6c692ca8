# shellcheck shell=bash disable=SC2034,SC2154
# create_audio_chunks() makes 100,000 chunks of one upload, in its own table: tracked, with its indexes and foreign key.
# Against the specification's plpgsql (with its format string mended) into that same table and into copies of it that
# are not tracked, with and without the foreign key; and against COPY of just these rows.

case_chunks() {
    local upload rows=$work/chunks.copy table
    sql -f bench/case/chunks.sql >/dev/null
    upload=$(sql -c 'SELECT id FROM bench.upload')
    sql -c "SELECT audiostore.create_audio_chunks('$upload', 1000000, 10)" \
        -c "COPY audiostore.audio_chunks TO '$rows' (FORMAT binary)" >/dev/null
    for ((round = 1; round <= rounds; round++)); do
        progress "chunks: round $round of $rounds"
        for table in audiostore.audio_chunks bench.chunks_with_key bench.chunks_without_key; do
            chunks_empty
            timed "plpgsql $table" "SELECT bench.create_audio_chunks('$table', '$upload', 1000000, 10);"
            chunks_check "$table"
        done
        chunks_empty
        timed ours "SELECT audiostore.create_audio_chunks('$upload', 1000000, 10);"
        chunks_check audiostore.audio_chunks
        for table in audiostore.audio_chunks bench.chunks_with_key bench.chunks_without_key; do
            chunks_empty
            timed "copy $table" "COPY $table FROM '$rows' (FORMAT binary);"
            chunks_check "$table"
        done
    done
    compare 'create_audio_chunks, 100,000 (yardstick: plpgsql, same table)' ours 'plpgsql audiostore.audio_chunks' speedup 3
    compare '  plpgsql, not tracked' ours 'plpgsql bench.chunks_with_key' speedup 3
    compare '  plpgsql, not tracked, no foreign key' ours 'plpgsql bench.chunks_without_key' speedup 3
    compare '  COPY of the same rows, same table' ours 'copy audiostore.audio_chunks' cost 1.3
    compare '  COPY, not tracked' ours 'copy bench.chunks_with_key' cost -
    compare '  COPY, not tracked, no foreign key' ours 'copy bench.chunks_without_key' cost -
}

chunks_empty() {
    sql -c 'TRUNCATE audiostore.audio_chunks, bench.chunks_with_key, bench.chunks_without_key' \
        -c 'TRUNCATE audiostore.operation_rows, audiostore.operation_packs, audiostore.operation_holes' -c CHECKPOINT
}

chunks_check() { await "(SELECT count(*) = 100000 FROM $1)"; }
