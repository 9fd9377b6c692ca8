-- Results of processing, by what was processed and how.
CREATE TABLE audiostore.file_processing_cache (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    file_hash varchar(64) COLLATE "C" NOT NULL CHECK (file_hash ~ '^[0-9a-f]{64}$'),
    file_size bigint NOT NULL CHECK (file_size >= 0),
    processing_options_hash varchar(64) COLLATE "C" NOT NULL DEFAULT '',
    cache_type varchar(50) NOT NULL,
    cache_data jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    accessed_at timestamptz NOT NULL DEFAULT now(),
    access_count integer NOT NULL DEFAULT 1 CHECK (access_count >= 0),
    expires_at timestamptz,
    compressed boolean NOT NULL DEFAULT false,
    compression_ratio numeric(4,2) CHECK (compression_ratio >= 0),
    CONSTRAINT file_processing_cache_key UNIQUE (file_hash, processing_options_hash, cache_type)
) WITH (fillfactor = 90);
CREATE INDEX file_processing_cache_expires ON audiostore.file_processing_cache (expires_at);
CREATE INDEX file_processing_cache_accessed ON audiostore.file_processing_cache (accessed_at);
COMMENT ON TABLE audiostore.file_processing_cache IS
    'Results of processing files, so that nothing is processed twice: get_processing_result() and set_processing_result(). The built-in policy processing_cache removes what has expired and what nobody asks for';
COMMENT ON COLUMN audiostore.file_processing_cache.file_hash IS 'SHA-256 of the file, hexadecimal, lower case';
COMMENT ON COLUMN audiostore.file_processing_cache.file_size IS 'bytes of the file';
COMMENT ON COLUMN audiostore.file_processing_cache.processing_options_hash IS 'processing_options_hash() of the options; empty: there are none';
COMMENT ON COLUMN audiostore.file_processing_cache.cache_type IS 'transcription, summary, analysis ...';
COMMENT ON COLUMN audiostore.file_processing_cache.cache_data IS 'the result';
COMMENT ON COLUMN audiostore.file_processing_cache.accessed_at IS 'when it was last asked for, exact to a minute';
COMMENT ON COLUMN audiostore.file_processing_cache.access_count IS
    'how often it was stored and asked for: an estimate, as of the requests that follow another within a minute one in 16 is written, for all of them';
COMMENT ON COLUMN audiostore.file_processing_cache.expires_at IS 'from then on it is not returned; NULL: never';
COMMENT ON COLUMN audiostore.file_processing_cache.compressed IS 'whether the application has compressed what cache_data holds; PostgreSQL does so by itself';
COMMENT ON COLUMN audiostore.file_processing_cache.compression_ratio IS 'size before divided by size after';
COMMENT ON CONSTRAINT file_processing_cache_key ON audiostore.file_processing_cache IS 'one result for each file, options and type';
COMMENT ON INDEX audiostore.file_processing_cache_expires IS 'what expires first';
COMMENT ON INDEX audiostore.file_processing_cache_accessed IS 'what nobody asks for';
SELECT pg_catalog.pg_extension_config_dump('audiostore.file_processing_cache', '');

CREATE FUNCTION audiostore.processing_options_hash(options jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN options IS NULL OR options = '{}' THEN '' ELSE encode(sha256(convert_to(options::text, 'UTF8')), 'hex') END
$$;
COMMENT ON FUNCTION audiostore.processing_options_hash(jsonb) IS
    'SHA-256 of options, hexadecimal: the same whatever the order of their members; empty for NULL and {}';

CREATE FUNCTION audiostore.get_processing_result(file_hash text, options jsonb, cache_type text) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    hit record;
    weight integer;
BEGIN
    SELECT c.id, c.cache_data, c.accessed_at INTO hit FROM audiostore.file_processing_cache c
    WHERE c.file_hash = get_processing_result.file_hash
          AND c.processing_options_hash = audiostore.processing_options_hash(get_processing_result.options)
          AND c.cache_type = get_processing_result.cache_type
          AND (c.expires_at IS NULL OR c.expires_at > clock_timestamp());
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    weight := CASE WHEN hit.accessed_at < clock_timestamp() - interval '1 minute' THEN 1
                   WHEN random() < 1.0 / 16 THEN 16 END;
    -- A standby, a read-only transaction, or a row that somebody else counts right now: nobody waits for a counter.
    IF weight IS NOT NULL AND current_setting('transaction_read_only') = 'off' THEN
        UPDATE audiostore.file_processing_cache c SET accessed_at = clock_timestamp(), access_count = c.access_count + weight
        FROM (SELECT l.id FROM audiostore.file_processing_cache l WHERE l.id = hit.id FOR NO KEY UPDATE SKIP LOCKED) free
        WHERE c.id = free.id;
    END IF;
    RETURN hit.cache_data;
END
$$;
COMMENT ON FUNCTION audiostore.get_processing_result(text, jsonb, text) IS
    'The cached result of this type for a file (SHA-256, hexadecimal) processed with these options; NULL when there is none or it has expired. Few calls write, see access_count, and none waits for another. Needs SELECT and UPDATE on file_processing_cache';

CREATE FUNCTION audiostore.set_processing_result(
    file_hash text, options jsonb, cache_type text, data jsonb, file_size bigint, ttl interval DEFAULT NULL) RETURNS uuid
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO audiostore.file_processing_cache (file_hash, processing_options_hash, cache_type, cache_data, file_size, expires_at)
    VALUES (file_hash, audiostore.processing_options_hash(options), cache_type, data, file_size, clock_timestamp() + ttl)
    ON CONFLICT ON CONSTRAINT file_processing_cache_key DO UPDATE
    SET cache_data = excluded.cache_data, file_size = excluded.file_size, expires_at = excluded.expires_at,
        accessed_at = clock_timestamp(), access_count = file_processing_cache.access_count + 1
    RETURNING id
$$;
COMMENT ON FUNCTION audiostore.set_processing_result(text, jsonb, text, jsonb, bigint, interval) IS
    'Stores, or replaces, the result of this type for a file processed with these options, for as long as ttl says (NULL: for ever); returns the id of its row. Needs INSERT, SELECT and UPDATE on file_processing_cache. Errors: 23502 for NULL, 23514 for a hash that is none';
