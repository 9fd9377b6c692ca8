CREATE FUNCTION audiostore.cache_claim(cache_key text, wait interval DEFAULT '10 seconds') RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_cache_claim';
COMMENT ON FUNCTION audiostore.cache_claim(text, interval) IS
    'Whether the caller shall generate what is missing. True: nobody else does, the claim is the caller''s, and its '
    'cache_put() of the key releases it when that is committed. False: the entry is there, now or after waiting for '
    'somebody''s put. NULL: somebody else has had the claim for the whole of wait (0 to 1 hour). Inside a transaction '
    'block the claim ends with the transaction, else with the session at the latest. Needs INSERT on audio_chunk_cache';

CREATE FUNCTION audiostore.cache_release(cache_key text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_cache_release';
COMMENT ON FUNCTION audiostore.cache_release(text) IS
    'Gives up a claim of this session without a put, so that somebody else may generate; false when it has none';
