-- Audio in values of type bytea. It is read in a confined process of its own (sandbox/), so that broken or hostile audio
-- is an error of the call and nothing else. Every function gives NULL for NULL audio and obeys statement_timeout and
-- cancels at once. Common errors: 22P03 for what is not audio, or damaged; 0A000 for audio of a kind that is not read;
-- 54000 when audiostore.decoder_timeout or audiostore.decoder_memory does not suffice, or the result passes
-- 1 GB - 64 kB; 38000 when the decoder failed.
CREATE FUNCTION audiostore.audio_info(
    audio bytea, OUT container text, OUT codec text, OUT duration_seconds double precision, OUT frames bigint,
    OUT sample_rate integer, OUT channels integer, OUT bit_depth integer, OUT bitrate integer, OUT tags jsonb)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS 'MODULE_PATHNAME', 'audiostore_audio_info';
COMMENT ON FUNCTION audiostore.audio_info(bytea) IS
    'What audio is, from its headers: of a large value only 256 kB at its beginning and 64 kB at its end are fetched where '
    'they suffice. container is wav, rf64, w64, flac, ogg, mp3, aiff, caf, au, mp4, matroska or webm; codec such as '
    'pcm_s16, pcm_f32, flac, vorbis, opus, mp3, aac (other: one without a name here). A frame is one sample of every '
    'channel; sample_rate is in Hz, bit_depth in bits per sample (NULL where the codec has none), bitrate in bit/s of the '
    'whole file over its duration (NULL: unknown), tags an object with some of title, artist, album, date, genre, track, '
    'comment, copyright, license, software. Errors: 22P03 for what is not audio, or damaged, 0A000 for audio of a kind '
    'that is not read, 54000 at a limit of the decoder, 38000 when it failed';

CREATE FUNCTION audiostore.measure_loudness(
    audio bytea, OUT integrated_lufs double precision, OUT loudness_range_lu double precision,
    OUT max_momentary_lufs double precision, OUT max_short_term_lufs double precision,
    OUT true_peak_dbtp double precision, OUT sample_peak_dbfs double precision, OUT clipped_samples bigint,
    OUT silence_seconds double precision)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000000 AS 'MODULE_PATHNAME', 'audiostore_measure_loudness';
COMMENT ON FUNCTION audiostore.measure_loudness(bytea) IS
    'Measures all of it: integrated loudness in LUFS (ITU-R BS.1770-4), loudness range in LU (EBU Tech 3342), the loudest '
    '400 ms and 3 s in LUFS (EBU Tech 3341), the true peak in dBTP (BS.1770-4 Annex 2), the largest sample in dBFS, the '
    'samples of all channels in runs of 3 or more at full scale, and the seconds in stretches of 100 ms or more below '
    '-60 dBFS. integrated_lufs and loudness_range_lu are NULL where nothing passes the gate: silence, or less than 400 ms; '
    'digital silence is -Infinity. Errors: 22P03 for what is not audio, or damaged, 0A000 for audio of a kind that is not '
    'read, 54000 at a limit of the decoder, 38000 when it failed';

CREATE FUNCTION audiostore.master_audio(
    audio bytea, target_lufs double precision DEFAULT -16, max_true_peak_dbtp double precision DEFAULT -1,
    format text DEFAULT 'wav') RETURNS bytea
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000000 AS 'MODULE_PATHNAME', 'audiostore_master_audio';
COMMENT ON FUNCTION audiostore.master_audio(bytea, double precision, double precision, text) IS
    'The same audio at an integrated loudness of target_lufs (-70 to 0 LUFS, ITU-R BS.1770-4): one static gain, and only '
    'where that would pass max_true_peak_dbtp (-60 to 0 dBTP) a look-ahead true-peak limiter. The result is measured again '
    'before it is given. format is wav, flac, ogg, opus or mp3. A NOTICE names the outcome where it is not the target: '
    'silence, too_short (under 400 ms) and target_not_reached (as loud as the ceiling allows). master_audio_report says '
    'what was done. Errors: 22023 for arguments out of range, 22P03 for what is not audio, or damaged, 0A000 for audio of '
    'a kind that is not read, 54000 at a limit of the decoder or for a result over 1 GB - 64 kB, 38000 when it failed';

CREATE FUNCTION audiostore.master_audio_report(
    INOUT audio bytea, target_lufs double precision DEFAULT -16, max_true_peak_dbtp double precision DEFAULT -1,
    format text DEFAULT 'wav', OUT outcome text, OUT gain_db double precision, OUT max_reduction_db double precision,
    OUT limited_seconds double precision, OUT integrated_lufs_before double precision,
    OUT integrated_lufs double precision, OUT true_peak_dbtp_before double precision,
    OUT true_peak_dbtp double precision, OUT loudness_range_lu_before double precision,
    OUT loudness_range_lu double precision)
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000000 AS 'MODULE_PATHNAME', 'audiostore_master_audio_report';
COMMENT ON FUNCTION audiostore.master_audio_report(bytea, double precision, double precision, text) IS
    'master_audio with the figures: outcome is gain (one static gain), limited (the same, and the limiter), silence, '
    'too_short or target_not_reached; gain_db the static gain, max_reduction_db the deepest cut of the limiter, '
    'limited_seconds the time in which it cut more than 0.1 dB; loudness, true peak and loudness range before and, of the '
    'encoded result, after. Loudness and range are NULL where nothing passes the gate. Errors as for master_audio';

CREATE FUNCTION audiostore.transcode_audio(
    audio bytea, format text, bitrate_kbps integer DEFAULT NULL, sample_rate integer DEFAULT NULL,
    channels integer DEFAULT NULL) RETURNS bytea
    LANGUAGE c STABLE PARALLEL SAFE COST 1000000 AS 'MODULE_PATHNAME', 'audiostore_transcode_audio';
COMMENT ON FUNCTION audiostore.transcode_audio(bytea, text, integer, integer, integer) IS
    'The same audio as wav, flac, ogg (Vorbis), opus (in Ogg) or mp3. bitrate_kbps (6 to 512 kbit/s; NULL: the encoder''s '
    'default) is for the formats with loss; sample_rate (1000 to 768000 Hz) and channels (1 to 64) are the audio''s own '
    'when NULL, or the nearest that the format has. Errors: 22004 for a NULL format, 22023 for arguments out of range or '
    'that the format lacks, 22P03 for what is not audio, or damaged, 0A000 for audio of a kind that is not read, 54000 at '
    'a limit of the decoder or for a result over 1 GB - 64 kB, 38000 when it failed';

CREATE FUNCTION audiostore.slice_audio(
    audio bytea, start_seconds double precision, end_seconds double precision, format text DEFAULT NULL) RETURNS bytea
    LANGUAGE c STABLE PARALLEL SAFE COST 100000 AS 'MODULE_PATHNAME', 'audiostore_slice_audio';
COMMENT ON FUNCTION audiostore.slice_audio(bytea, double precision, double precision, text) IS
    'The samples from start_seconds (included; NULL: from the beginning) to end_seconds (excluded; NULL or beyond the end: '
    'to the end), sample-exact. format is wav, flac, ogg, opus or mp3; NULL keeps that of the audio where it can be '
    'written, else wav. Errors: 22023 for arguments out of range, a slice without a sample and a start beyond the end, '
    '22P03 for what is not audio, or damaged, 0A000 for audio of a kind that is not read, 54000 at a limit of the decoder '
    'or for a result over 1 GB - 64 kB, 38000 when it failed';

CREATE FUNCTION audiostore.trim_audio(
    audio bytea, threshold_dbfs double precision DEFAULT -50, padding_seconds double precision DEFAULT 0.1,
    format text DEFAULT 'mp3', sample_rate integer DEFAULT 16000, channels integer DEFAULT 1) RETURNS bytea
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000000 AS 'MODULE_PATHNAME', 'audiostore_trim_audio';
COMMENT ON FUNCTION audiostore.trim_audio(bytea, double precision, double precision, text, integer, integer) IS
    'The audio without leading and trailing silence: what is quieter than threshold_dbfs (-120 to 0 dBFS) goes, but for '
    'padding_seconds (0 to 3600) at each end. The defaults make what speech recognition takes: mp3, 16 kHz, mono. Errors '
    'as for transcode_audio';

CREATE FUNCTION audiostore.waveform(
    audio bytea, points integer DEFAULT 800, OUT minimum real[], OUT maximum real[], OUT rms real[])
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000000 AS 'MODULE_PATHNAME', 'audiostore_waveform';
COMMENT ON FUNCTION audiostore.waveform(bytea, integer) IS
    'The shape of the audio in so many points (1 to 1000000) of equal length: the smallest and the largest sample of all '
    'channels and their root mean square, full scale 1. Errors: 22023 for points out of range, 22P03 for what is not '
    'audio, or damaged, 0A000 for audio of a kind that is not read, 54000 at a limit of the decoder, 38000 when it failed';

CREATE FUNCTION audiostore.waveform_svg(audio bytea, width integer DEFAULT 800, height integer DEFAULT 120)
    RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000000 AS 'MODULE_PATHNAME', 'audiostore_waveform_svg';
COMMENT ON FUNCTION audiostore.waveform_svg(bytea, integer, integer) IS
    'The waveform as an SVG image of width times height (1 to 10000 each) without scripts and references, in the colour of '
    'the text around it (currentColor): the range of the samples pale, their root mean square solid. Errors as for waveform';
