# shellcheck shell=bash disable=SC2034,SC2154
# 1,000 segments of 10 seconds from raw to final in a local store: how much of the two processors' time goes into the
# work of the worker and its decoders. The rest is waiting, for the disk mostly.

case_pipeline() {
    local segments=1000
    mkdir -p "$work/radio"
    chown "$server_user" "$work/radio" 2>/dev/null || true
    [ -e "$work/audio/stereo.wav" ] || make_audio
    ffmpeg -nostdin -v error -y -ss 30 -t 10 -i "$work/audio/stereo.wav" "$work/audio/ten.wav"
    chmod a+r "$work/audio/ten.wav"
    sql >/dev/null <<SQL
CREATE SERVER bench_radio FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root '$work/radio');
SQL
    for ((round = 1; round <= (rounds + 1) / 2; round++)); do
        progress "pipeline: round $round of $(((rounds + 1) / 2))"
        pipeline_fill $segments
        sql -c 'ALTER SYSTEM SET audiostore.audio_workers = 0' >/dev/null
        worker on
        pipeline_watch
        worker off
        sql -c 'DELETE FROM audiostore.segments' -c 'DELETE FROM audiostore.assets' -c 'TRUNCATE audiostore.jobs' \
            -c "UPDATE audiostore.operations SET not_before = now()" -c "CALL audiostore.run('outbox')"
    done
    absolute '1,000 segments of 10 s, raw to final' "$(printf '%.0f' "$(median segments)")" /s
    absolute '  CPU time of worker and decoders, of 2 cores' "$(median busy)" '' '>=' 0.7
}

# The raw audio is stored, its jobs wait. Each file differs in a chunk that nobody reads.
pipeline_fill() {
    sql >/dev/null <<SQL
SET audiostore.default_store = 'bench_radio';
INSERT INTO audiostore.segments (title) SELECT i::text FROM generate_series(1, $1) i;
SELECT count(audiostore.store_segment_audio(s.id, f || '\x4c4953540c000000'::bytea || convert_to(lpad(s.title, 12), 'UTF8')))
FROM audiostore.segments s, pg_read_binary_file('$work/audio/ten.wav') f;
CALL audiostore.run('outbox');
CHECKPOINT;
SQL
}

# Records segments per second, and the share of two processors that the work took.
pipeline_watch() {
    local pid start cpu left
    pid=$(worker_pid)
    cpu=$(pipeline_cpu "$pid")
    start=$(date +%s%N)
    sql -c 'ALTER SYSTEM SET audiostore.audio_workers = 2' -c 'SELECT pg_reload_conf()' >/dev/null
    left=1
    while [ "$left" -gt 0 ]; do
        sleep 0.2
        left=$(sql -c "SELECT count(*) FROM audiostore.pending_jobs")
    done
    awk -v ns=$(($(date +%s%N) - start)) -v cpu=$(($(pipeline_cpu "$pid") - cpu)) -v hz="$(getconf CLK_TCK)" \
        'BEGIN { printf "%.3f %.1f\n", cpu / hz / (2 * ns / 1e9), 1000 / (ns / 1e9) }' >"$work/pipeline"
    record busy "$(cut -d ' ' -f 1 "$work/pipeline")"
    record segments "$(cut -d ' ' -f 2 "$work/pipeline")"
}

# Ticks of a worker and of its children, those included that have ended.
pipeline_cpu() {
    { cat /proc/[0-9]*/stat 2>/dev/null || true; } | sed 's/(.*)/x/' |
        awk -v pid="$1" '$1 == pid || $4 == pid { ticks += $14 + $15 } $1 == pid { ticks += $16 + $17 } END { print ticks + 0 }'
}
