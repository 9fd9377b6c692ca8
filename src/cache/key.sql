CREATE FUNCTION audiostore.cache_key(text text, voice_model_id text, session_id text DEFAULT NULL,
        sequence_number integer DEFAULT NULL, settings json DEFAULT NULL) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'audiostore_cache_key';
COMMENT ON FUNCTION audiostore.cache_key(text, text, text, integer, json) IS
    'SHA-256 in hexadecimal over the bytes that JSON.stringify({text, voiceModelId, sessionId, sequenceNumber, settings}) '
    'gives in JavaScript, NULLs left out. Leave session and sequence out, and equal speech is one entry for all sessions. '
    'settings is read as JSON.parse() reads it: numbers are doubles, and order and spelling of members count. '
    'Errors: 22023 when settings is nested more than 1000 levels deep';
