-- Audio in values of type bytea: sines made here, through every function, and what is no audio.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
SET search_path = audiostore, public;

-- little(n, bytes): the number as WAV writes it. wav(): a header before 16-bit samples.
CREATE FUNCTION public.little(number bigint, bytes int) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$
    SELECT string_agg(substring(int8send(number) FROM 8 - i FOR 1), '' ORDER BY i) FROM generate_series(0, bytes - 1) i
$$;
CREATE FUNCTION public.wav(samples bytea, rate int, channels int) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$
    SELECT 'RIFF'::bytea || little(length(samples) + 36, 4) || 'WAVEfmt ' || little(16, 4) || little(1, 2)
        || little(channels, 2) || little(rate, 4) || little(rate * channels * 2, 4) || little(channels * 2, 2)
        || little(16, 2) || 'data' || little(length(samples), 4) || samples
$$;
-- A mono sine with so much silence around it, in seconds.
CREATE FUNCTION public.sine(dbfs float, seconds float, rate int = 8000, hertz float = 997, silence float = 0)
RETURNS bytea IMMUTABLE LANGUAGE sql AS $$
    SELECT wav(decode(repeat('0000', (silence * rate)::int), 'hex')
        || string_agg(little((32767 * 10 ^ (dbfs / 20) * sin(2 * pi() * hertz * i / rate))::bigint, 2), '' ORDER BY i)
        || decode(repeat('0000', (silence * rate)::int), 'hex'), rate, 1)
    FROM generate_series(0, (seconds * rate)::int - 1) i
$$;
CREATE TABLE public.au_samples (name text PRIMARY KEY, data bytea);
ALTER TABLE public.au_samples ALTER data SET STORAGE EXTERNAL;
INSERT INTO au_samples VALUES
    ('sine', sine(-18, 3)),
    ('loud', sine(0, 3)),
    ('late', sine(-18, 1, silence => 1)),
    ('short', sine(-18, 0.2)),
    ('silence', wav(decode(repeat('0000', 8000), 'hex'), 8000, 1)),
    ('empty', wav('', 8000, 1)),
    ('stereo', wav(decode(repeat('00100020', 24000), 'hex'), 48000, 2));

-- What it is, and how loud: a full-scale sine of 997 Hz is at -3.01 LUFS, by definition.
SELECT name, i.* FROM au_samples, audio_info(data) i ORDER BY name;
SELECT name, round(integrated_lufs::numeric, 1) AS integrated_lufs, round(loudness_range_lu::numeric, 1) AS range,
       round(sample_peak_dbfs::numeric, 1) AS sample_peak, clipped_samples > 0 AS clipped, silence_seconds
FROM au_samples, measure_loudness(data) l WHERE name IN ('sine', 'loud', 'late') ORDER BY name;
SELECT name, l.* FROM au_samples, measure_loudness(data) l WHERE name = 'silence';
SELECT integrated_lufs, loudness_range_lu FROM au_samples, measure_loudness(data) WHERE name = 'short';

-- A large value gives only its ends, whatever lies between.
SELECT frames, duration_seconds FROM audio_info(wav(decode(repeat('0000', 4000000), 'hex'), 8000, 1));
INSERT INTO au_samples VALUES ('long', wav(decode(repeat('0000', 4000000), 'hex'), 8000, 1));
SELECT frames FROM au_samples, audio_info(data) WHERE name = 'long';
DELETE FROM au_samples WHERE name = 'long';

-- Mastering: the gain, the limiter, and outcomes that are not the target.
SELECT name, outcome, round(gain_db::numeric, 1) AS gain, max_reduction_db > 0.1 AS reduced,
       round(integrated_lufs::numeric, 1) AS lufs, true_peak_dbtp <= -1 AS under_the_ceiling
FROM au_samples, master_audio_report(data) WHERE name IN ('sine', 'loud', 'late') ORDER BY name;
SELECT outcome, max_reduction_db > 1 AS reduced, round(integrated_lufs::numeric, 1) AS lufs,
       true_peak_dbtp <= -6 AS under_the_ceiling
FROM au_samples, master_audio_report(data, -8, -6) WHERE name = 'sine';
SELECT name, outcome, gain_db, integrated_lufs FROM au_samples, master_audio_report(data)
WHERE name IN ('silence', 'short') ORDER BY name;
SELECT length(master_audio(data)) > 0 AS mastered FROM au_samples WHERE name = 'short';
SELECT round(integrated_lufs::numeric, 1) AS lufs
FROM au_samples, measure_loudness(master_audio(data, -23, -1, 'flac')) WHERE name = 'sine';

-- Other formats.
SELECT format, container, codec, i.sample_rate, i.channels, round(duration_seconds) AS seconds
FROM au_samples, unnest('{wav,flac,ogg,opus,mp3}'::text[]) WITH ORDINALITY f(format, number),
    audio_info(transcode_audio(data, format)) i
WHERE name = 'sine' ORDER BY number;
SELECT i.codec, i.sample_rate, i.channels
FROM au_samples, audio_info(transcode_audio(data, 'opus', 24, 16000, 2)) i WHERE name = 'sine';
SELECT transcode_audio(transcode_audio(data, 'flac'), 'wav') = transcode_audio(data, 'wav') AS without_loss
FROM au_samples WHERE name = 'stereo';

-- Less of it, to the sample.
SELECT substring(slice_audio(data, 0.5, 0.6) FROM 45) = substring(data FROM 45 + 2 * 4000 FOR 2 * 800) AS same_samples
FROM au_samples WHERE name = 'sine';
SELECT i.frames FROM au_samples, audio_info(slice_audio(data, 2.5, NULL)) i WHERE name = 'sine';
SELECT i.frames, i.codec FROM au_samples, audio_info(slice_audio(data, NULL, 1, 'flac')) i WHERE name = 'sine';
SELECT i.codec, i.sample_rate, round(i.duration_seconds) AS seconds
FROM au_samples, audio_info(trim_audio(data)) i WHERE name = 'late';
SELECT round(i.duration_seconds::numeric, 2) AS seconds
FROM au_samples, audio_info(trim_audio(data, -30, 0.5, 'wav', 8000)) i WHERE name = 'late';

-- What it looks like.
SELECT minimum, maximum, rms FROM au_samples, waveform(data, 3) WHERE name = 'stereo';
SELECT name, cardinality(minimum), round(maximum[400]::numeric, 2) AS maximum, round(rms[400]::numeric, 2) AS rms
FROM au_samples, waveform(data) WHERE name IN ('sine', 'silence') ORDER BY name;
SELECT waveform_svg(data, 8, 40) FROM au_samples WHERE name = 'stereo';
SELECT xpath('count(//s:path)', waveform_svg(data)::xml, '{{s,http://www.w3.org/2000/svg}}') AS areas
FROM au_samples WHERE name = 'late';

-- NULL.
SELECT audio_info(NULL), measure_loudness(NULL), master_audio(NULL), transcode_audio(NULL, 'wav'),
       slice_audio(NULL, 0, 1), trim_audio(NULL), waveform(NULL), waveform_svg(NULL);
SELECT transcode_audio('x', NULL);

-- What is no audio, or damaged.
SELECT audio_info('');
SELECT audio_info('Hello, hello');
SELECT measure_loudness('\x89504e470d0a1a0a');
SELECT transcode_audio(substring(data FOR 30), 'wav') FROM au_samples WHERE name = 'sine';
SELECT audio_info(wav('abcd', 0, 1));
SELECT audio_info(wav('abcd', 8000, 65535));
\set VERBOSITY sqlstate
SELECT audio_info('Hello, hello');
\set VERBOSITY default

-- Arguments.
SELECT master_audio('x', 1);
SELECT master_audio('x', 'NaN');
SELECT master_audio('x', -16, 0.5);
SELECT master_audio('x', -16, -1, 'aac');
SELECT transcode_audio('x', 'WAV');
SELECT transcode_audio('x', 'mp3', 0);
SELECT transcode_audio('x', 'mp3', NULL, 100);
SELECT transcode_audio('x', 'mp3', NULL, NULL, 65);
SELECT transcode_audio(data, 'mp3', channels => 6) FROM au_samples WHERE name = 'sine';
SELECT slice_audio('x', -1, 1);
SELECT slice_audio('x', 1, 1);
SELECT slice_audio(data, 3.5, 4) FROM au_samples WHERE name = 'sine';
SELECT trim_audio('x', 3);
SELECT trim_audio('x', -50, 'infinity');
SELECT waveform('x', 0);
SELECT waveform_svg('x', 0);

-- Limits. The session goes on.
SELECT name, unit, setting, min_val FROM pg_settings WHERE name LIKE 'audiostore.decoder%' ORDER BY 1;
SET audiostore.decoder_timeout = '10ms';
SELECT length(transcode_audio(wav(decode(repeat('0000', 4000000), 'hex'), 8000, 1), 'opus'));
RESET audiostore.decoder_timeout;
SELECT count(*) FROM au_samples, audio_info(data);

-- An index on what audio is.
CREATE INDEX ON au_samples (((audio_info(data)).duration_seconds));

DROP TABLE au_samples;
DROP FUNCTION public.little, public.wav, public.sine;
