-- The cache's table: one partition for each segment, all of the same shape. Which entry goes to which segment is the
-- business of segments.cpp; what cannot be seen here is that an entry's segment says when it will be emptied.
CREATE SCHEMA audiostore_cache;
COMMENT ON SCHEMA audiostore_cache IS 'The segments of audiostore.audio_chunk_cache and what is known about each';

CREATE TABLE audiostore_cache.segments (
    segment smallint PRIMARY KEY CHECK (segment BETWEEN 1 AND 64),
    state text NOT NULL DEFAULT 'empty' CHECK (state IN ('empty', 'open', 'closed')),
    until timestamptz,
    opened_at timestamptz
) WITH (fillfactor = 20);
COMMENT ON TABLE audiostore_cache.segments IS 'One row for each segment of audio_chunk_cache: whether entries go into it';
COMMENT ON COLUMN audiostore_cache.segments.state IS
    'empty: may be opened; open: takes entries; closed: full, takes entries only when there is no other segment for them';
COMMENT ON COLUMN audiostore_cache.segments.until IS 'its entries have all expired by then, unless closed ones had to take others';
COMMENT ON COLUMN audiostore_cache.segments.opened_at IS 'when it was opened last; those that were opened longest ago are opened next';
INSERT INTO audiostore_cache.segments (segment) SELECT generate_series(1, 64);

CREATE FUNCTION audiostore_cache.default_segment() RETURNS smallint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_cache_default_segment';
COMMENT ON FUNCTION audiostore_cache.default_segment() IS 'A segment for an entry that lives for audiostore.cache_ttl';

CREATE TABLE audiostore.audio_chunk_cache (
    id uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
    cache_key varchar(255) COLLATE "C" NOT NULL,
    audio_data bytea NOT NULL,
    format varchar(20) DEFAULT 'opus',
    duration_ms integer NOT NULL,
    sample_rate integer DEFAULT 16000,
    channels integer DEFAULT 1,
    compression varchar(20) DEFAULT 'opus',
    storage_path varchar(500),
    metadata jsonb DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    expires_at timestamptz NOT NULL,
    hit_count integer NOT NULL DEFAULT 0,
    last_accessed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    store text COLLATE "C",
    segment smallint NOT NULL DEFAULT audiostore_cache.default_segment(),
    PRIMARY KEY (cache_key, segment)
) PARTITION BY LIST (segment);
ALTER TABLE audiostore.audio_chunk_cache ALTER COLUMN audio_data SET STORAGE EXTERNAL;
COMMENT ON TABLE audiostore.audio_chunk_cache IS
    'Encoded speech, kept for minutes. cache_put() and cache_get() are the way in and out; SELECT, UPDATE and DELETE work '
    'as on any table, INSERT too (23505 when the key is there, in whichever segment; ON CONFLICT has no constraint to name). '
    'Privileges on this table are those of the functions: SELECT for lookups, INSERT for cache_put(), DELETE for '
    'cache_invalidate() and eviction';
COMMENT ON COLUMN audiostore.audio_chunk_cache.cache_key IS 'unique; by convention what cache_key() gives';
COMMENT ON COLUMN audiostore.audio_chunk_cache.audio_data IS 'the audio, not compressed again by the server';
COMMENT ON COLUMN audiostore.audio_chunk_cache.format IS 'container or codec of audio_data; as compression';
COMMENT ON COLUMN audiostore.audio_chunk_cache.duration_ms IS 'milliseconds of audio';
COMMENT ON COLUMN audiostore.audio_chunk_cache.sample_rate IS 'Hz';
COMMENT ON COLUMN audiostore.audio_chunk_cache.compression IS 'opus, or what cache_put() was told; none: any bytes';
COMMENT ON COLUMN audiostore.audio_chunk_cache.storage_path IS 'key of the archived copy in store; see audio_chunk_archives';
COMMENT ON COLUMN audiostore.audio_chunk_cache.metadata IS 'anything; cache_invalidate() looks for it, archiving takes session_id from it';
COMMENT ON COLUMN audiostore.audio_chunk_cache.expires_at IS 'from then on a lookup misses';
COMMENT ON COLUMN audiostore.audio_chunk_cache.hit_count IS 'lookups that found it, as of the last folding';
COMMENT ON COLUMN audiostore.audio_chunk_cache.last_accessed_at IS 'last lookup that found it, or its put, as of the last folding';
COMMENT ON COLUMN audiostore.audio_chunk_cache.store IS 'store of the archived copy';
COMMENT ON COLUMN audiostore.audio_chunk_cache.segment IS 'where it lies; entries that expire at about the same time lie together';

DO $$
DECLARE
    i integer;
    name text;
BEGIN
    FOR i IN 1..64 LOOP
        name := format('audiostore_cache.segment_%s', to_char(i, 'FM00'));
        -- Segments are emptied as a whole, and their dead rows go with them: vacuuming would be for nothing.
        EXECUTE format('CREATE TABLE %s PARTITION OF audiostore.audio_chunk_cache FOR VALUES IN (%s) WITH '
            '(autovacuum_enabled = off, toast.autovacuum_enabled = off, toast_tuple_target = 2032)', name, i);
        EXECUTE format('COMMENT ON TABLE %s IS %L', name, format('segment %s of audio_chunk_cache', i));
    END LOOP;
END
$$;

CREATE FUNCTION audiostore_cache.check_key() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'audiostore_cache_check_key';
COMMENT ON FUNCTION audiostore_cache.check_key() IS
    'Keeps cache_key unique across segments for INSERT and UPDATE; cache_put() sees to it by itself';
CREATE TRIGGER cache_key_unique BEFORE INSERT OR UPDATE OF cache_key, segment ON audiostore.audio_chunk_cache
    FOR EACH ROW EXECUTE FUNCTION audiostore_cache.check_key();
COMMENT ON TRIGGER cache_key_unique ON audiostore.audio_chunk_cache IS 'keeps cache_key unique across segments';
