CREATE FUNCTION audiostore.cache_put(cache_key text, audio bytea, duration_ms integer, sample_rate integer DEFAULT 16000,
        channels integer DEFAULT 1, compression text DEFAULT 'opus', ttl interval DEFAULT NULL,
        archive boolean DEFAULT false, metadata jsonb DEFAULT '{}') RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_cache_put';
COMMENT ON FUNCTION audiostore.cache_put(text, bytea, integer, integer, integer, text, interval, boolean, jsonb) IS
    'Puts an entry in place of the one its key has, if any, in this transaction. compression: opus (the default) encodes '
    'WAV audio in the confined decoder and takes anything else for Opus as it is; pcm_s16le encodes raw 16-bit samples '
    'of sample_rate and channels; none and other names take the bytes as they are. duration_ms may be NULL where audio '
    'is encoded. ttl: at most 365 days, NULL for audiostore.cache_ttl. archive: true writes the audio to the default store as '
    'well, see audio_chunk_archives; false where cache_archive_policies say so; NULL never. True when it was stored, false when audiostore.caching is off. Needs INSERT on '
    'audio_chunk_cache, and USAGE on the store to archive. Errors: 22004 for NULL, 22023 for empty audio, a key that is '
    'empty or has more than 255 characters, a ttl out of range, audio that cannot be encoded; 42501. The old entry then '
    'stays as it was';
