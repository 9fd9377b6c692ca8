CREATE FUNCTION audiostore.cache_get(cache_key text) RETURNS bytea
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 20 AS 'MODULE_PATHNAME', 'audiostore_cache_get';
COMMENT ON FUNCTION audiostore.cache_get(text) IS
    'The audio of an entry; NULL when there is none, when it has expired (by the clock, not by the start of the '
    'transaction) or when audiostore.caching is off. Writes nothing and waits for nothing: an entry whose segment is '
    'being emptied at the moment is a miss. cache_locate() says where the archived copy of a missing entry is. Needs '
    'SELECT on audio_chunk_cache';

CREATE FUNCTION audiostore.cache_entry(cache_key text) RETURNS audiostore.audio_chunk_cache
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 20 AS 'MODULE_PATHNAME', 'audiostore_cache_entry';
COMMENT ON FUNCTION audiostore.cache_entry(text) IS
    'The whole row of an entry, as cache_get() gives its audio; it counts as a lookup';

CREATE FUNCTION audiostore.cache_get_many(keys text[]) RETURNS TABLE (cache_key text, audio_data bytea)
    LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED COST 100 ROWS 10 AS 'MODULE_PATHNAME', 'audiostore_cache_get_many';
COMMENT ON FUNCTION audiostore.cache_get_many(text[]) IS
    'The entries of these keys that are there, in the order of the keys; each counts as a lookup';

CREATE FUNCTION audiostore.cache_invalidate(pattern jsonb) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    other jsonb := pattern;
    names CONSTANT text[][] := '{{sessionId,session_id},{voiceModelId,voice_model_id},{sequenceNumber,sequence_number}}';
    removed bigint;
BEGIN
    IF pattern IS NULL OR jsonb_typeof(pattern) <> 'object' OR pattern = '{}' THEN
        RAISE EXCEPTION 'pattern must be an object with at least one member' USING ERRCODE = 'invalid_parameter_value',
            DETAIL = format('It is %s.', coalesce(pattern::text, 'null')),
            HINT = 'For example {"sessionId": "session-456"}. TRUNCATE audiostore.audio_chunk_cache empties the cache.';
    END IF;
    FOR i IN 1 .. array_length(names, 1) LOOP
        IF pattern ? names[i][1] THEN
            other := other - names[i][1] || jsonb_build_object(names[i][2], pattern -> names[i][1]);
        ELSIF pattern ? names[i][2] THEN
            other := other - names[i][2] || jsonb_build_object(names[i][1], pattern -> names[i][2]);
        END IF;
    END LOOP;
    DELETE FROM audiostore.audio_chunk_cache c WHERE c.metadata @> cache_invalidate.pattern OR c.metadata @> other;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;
COMMENT ON FUNCTION audiostore.cache_invalidate(jsonb) IS
    'Removes the entries whose metadata contain this object, such as {"sessionId": "session-456"} or {"voiceModelId": '
    '"v1", "speaker": "clone"}; sessionId and session_id, voiceModelId and voice_model_id, sequenceNumber and '
    'sequence_number mean the same. Reads all entries, without their audio. Returns how many went. Archived copies stay. '
    'Needs SELECT and DELETE on audio_chunk_cache. Errors: 22023 for anything but an object with members';
