# shellcheck shell=bash disable=SC2034,SC2154
# The audio functions on values in a table, against the programs that people use on files: 10 minutes of 44.1 kHz stereo
# (speech over synthesised music) and one hour of 16 kHz mono speech. Each side reads what is in the page cache or in
# shared buffers and uses one core; the decoder of the session is running already, as it is for every call but the first.

case_audio() {
    make_audio
    sql >/dev/null <<SQL
CREATE TABLE bench.audio (name text PRIMARY KEY, audio bytea);
ALTER TABLE bench.audio ALTER COLUMN audio SET STORAGE EXTERNAL;
INSERT INTO bench.audio SELECT f, pg_read_binary_file('$work/audio/' || f || '.wav') FROM unnest('{stereo,hour,wide}'::text[]) f;
VACUUM ANALYZE bench.audio;
SQL
    for ((round = 1; round <= rounds; round++)); do
        progress "audio: round $round of $rounds"
        for name in stereo hour; do
            decoded "measure $name" "audiostore.measure_loudness(audio)" $name
            program "ffmpeg ebur128 $name" ffmpeg -nostdin -v error -i "$work/audio/$name.wav" \
                -af ebur128=peak=true:framelog=verbose -f null -
        done
        decoded 'master' 'length(audiostore.master_audio(audio))' stereo
        program 'ffmpeg scan, volume' scan_then_volume
        decoded 'info' 'audiostore.audio_info(audio)' hour
        timed 'read' "SELECT length(audio || ''::bytea) FROM bench.audio WHERE name = 'hour';"
        decoded 'opus' "length(audiostore.transcode_audio(audio, 'opus', 96))" wide
        program 'opusenc' opusenc --quiet --bitrate 96 "$work/audio/wide.wav" "$work/audio/wide.opus"
        # Half a minute of it each time.
        if [ $round = 1 ]; then program 'loudnorm, two passes' loudnorm_twice; fi
    done
    compare 'measure_loudness, 10 min stereo (ffmpeg ebur128=peak=true)' 'measure stereo' 'ffmpeg ebur128 stereo' speedup 2.5
    compare 'measure_loudness, 1 h mono' 'measure hour' 'ffmpeg ebur128 hour' speedup 2.5
    compare 'master_audio, 10 min stereo (ffmpeg loudnorm, two passes)' master 'loudnorm, two passes' speedup 15
    compare '  (ffmpeg ebur128 scan, then volume: not verified)' master 'ffmpeg scan, volume' cost 1
    compare 'audio_info, 1 h mono (reading it)' info read speedup -
    absolute '  in milliseconds' "$(median info)" ms '<=' 20
    compare 'transcode_audio to Opus, 10 min stereo, 96 kbit/s (opusenc)' opus opusenc cost 1.1
}

# decoded VARIANT EXPRESSION NAME
decoded() {
    timed "$1" "SELECT $2 FROM bench.audio WHERE name = '$3';" >/dev/null
}

# program VARIANT COMMAND...: its wall time in milliseconds.
program() {
    local variant=$1 start
    shift
    start=$(date +%s%N)
    "$@" >/dev/null 2>&1
    record "$variant" "$(awk -v ns=$(($(date +%s%N) - start)) 'BEGIN { printf "%.3f", ns / 1e6 }')"
}

scan_then_volume() {
    ffmpeg -nostdin -v error -i "$work/audio/stereo.wav" -af ebur128=peak=true:framelog=verbose -f null -
    ffmpeg -nostdin -v error -y -i "$work/audio/stereo.wav" -af volume=-1.4dB -c:a pcm_s16le "$work/audio/out.wav"
}

loudnorm_twice() {
    local figures
    figures=$(ffmpeg -nostdin -hide_banner -nostats -i "$work/audio/stereo.wav" \
        -af loudnorm=I=-16:TP=-1:LRA=11:print_format=json -f null - 2>&1 | sed -n '/^{/,/^}/p')
    figure() { sed -n "s/.*\"$1\" : \"\(.*\)\".*/\1/p" <<<"$figures"; }
    ffmpeg -nostdin -v error -y -i "$work/audio/stereo.wav" -ar 44100 -c:a pcm_s16le -af \
        "loudnorm=I=-16:TP=-1:LRA=11:measured_I=$(figure input_i):measured_LRA=$(figure input_lra):measured_TP=$(figure input_tp):measured_thresh=$(figure input_thresh):offset=$(figure target_offset):linear=true" \
        "$work/audio/out.wav"
}

make_audio() {
    local dir=$work/audio
    mkdir -p "$dir"
    find /usr/share/asterisk/sounds -type f -name '*.wav' -size +20k | sort | sed "s/.*/file '&'/" >"$dir/list"
    for _ in 1 2 3 4 5 6 7 8; do cat "$dir/list"; done >"$dir/lists"
    ffmpeg -nostdin -v error -y -f concat -safe 0 -i "$dir/lists" -t 3600 -ar 16000 -ac 1 -c:a pcm_s16le "$dir/hour.wav"
    ffmpeg -nostdin -v error -y -t 600 -i "$dir/hour.wav" -f lavfi -t 600 -i \
        "aevalsrc='0.25*sin(2*PI*220*t)*(0.5+0.5*sin(PI*t))+0.15*sin(2*PI*55*t)*exp(-mod(t,1)*4)|0.25*sin(2*PI*331*t)*(0.5+0.5*cos(PI*t))+0.15*sin(2*PI*55*t)*exp(-mod(t,1)*4)':s=44100:c=stereo" \
        -filter_complex '[0:a]aresample=44100,pan=stereo|c0=0.9*c0|c1=0.7*c0[s];[s][1:a]amix=inputs=2:normalize=0' \
        -c:a pcm_s16le "$dir/stereo.wav"
    ffmpeg -nostdin -v error -y -i "$dir/stereo.wav" -ar 48000 "$dir/wide.wav"
    chmod -R a+rX "$dir"
}
