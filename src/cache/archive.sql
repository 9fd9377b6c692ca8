-- Copies in the object store. They outlive their entries, and go when their own time has come.
CREATE TABLE audiostore.audio_chunk_archives (
    cache_key varchar(255) COLLATE "C" PRIMARY KEY,
    store text COLLATE "C" NOT NULL,
    storage_path varchar(1024) COLLATE "C" NOT NULL,
    size bigint NOT NULL CHECK (size >= 0),
    compression varchar(20) NOT NULL,
    duration_ms integer,
    metadata jsonb NOT NULL DEFAULT '{}',
    storage_class text,
    archived_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    expires_at timestamptz DEFAULT pg_catalog.now() + interval '365 days'
);
CREATE INDEX audio_chunk_archives_storage_path ON audiostore.audio_chunk_archives (storage_path);
CREATE INDEX audio_chunk_archives_archived_at ON audiostore.audio_chunk_archives (archived_at);
CREATE INDEX audio_chunk_archives_expires_at ON audiostore.audio_chunk_archives (expires_at);
COMMENT ON TABLE audiostore.audio_chunk_archives IS
    'Archived audio: one row for each object that cache_put(..., archive => true) or a policy of '
    'cache_archive_policies wrote. The object goes with its row';
COMMENT ON COLUMN audiostore.audio_chunk_archives.store IS 'foreign server that holds the object';
COMMENT ON COLUMN audiostore.audio_chunk_archives.storage_path IS
    'its key: audio-chunks/<yyyy>/<mm>/<dd>/<session>/<cache_key>.opus, the day in UTC';
COMMENT ON COLUMN audiostore.audio_chunk_archives.size IS 'bytes';
COMMENT ON COLUMN audiostore.audio_chunk_archives.compression IS 'as of the entry';
COMMENT ON COLUMN audiostore.audio_chunk_archives.metadata IS 'as of the entry';
COMMENT ON COLUMN audiostore.audio_chunk_archives.storage_class IS 'what cache_archive_rules moved it to last; NULL: as it was put';
COMMENT ON COLUMN audiostore.audio_chunk_archives.expires_at IS 'when row and object go; NULL: never';
COMMENT ON INDEX audiostore.audio_chunk_archives_storage_path IS 'which rows hold this key';
COMMENT ON INDEX audiostore.audio_chunk_archives_archived_at IS 'for cache_archive_rules';
COMMENT ON INDEX audiostore.audio_chunk_archives_expires_at IS 'for those whose time has come';
SELECT pg_catalog.pg_extension_config_dump('audiostore.audio_chunk_archives', '');

CREATE TABLE audiostore.cache_archive_rules (
    age interval PRIMARY KEY CHECK (age > interval '0'),
    storage_class text NOT NULL CHECK (storage_class <> '')
);
COMMENT ON TABLE audiostore.cache_archive_rules IS
    'Archived audio of this age moves to this storage class, named as the provider names it: NEARLINE after 30 days and '
    'COLDLINE after 90, say. Empty at first, since not every provider has classes';
COMMENT ON COLUMN audiostore.cache_archive_rules.age IS 'since archived_at';
COMMENT ON COLUMN audiostore.cache_archive_rules.storage_class IS 'for example NEARLINE (GCS) or STANDARD_IA (S3)';
SELECT pg_catalog.pg_extension_config_dump('audiostore.cache_archive_rules', '');

CREATE TABLE audiostore.cache_archive_policies (
    name text PRIMARY KEY CHECK (name <> ''),
    pattern jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(pattern) = 'object'),
    min_duration_ms integer NOT NULL DEFAULT 0 CHECK (min_duration_ms >= 0),
    store text COLLATE "C" NOT NULL DEFAULT audiostore.default_store(),
    keep interval DEFAULT '365 days' CHECK (keep > interval '0'),
    enabled boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE audiostore.cache_archive_policies IS
    'Entries that cache_put() archives without being told: those that a policy fits. The first that fits, by name, says '
    'where to and for how long, for entries put with archive => true as well. Whoever puts an entry needs no USAGE on that '
    'store; whoever writes a policy does. archive => NULL passes the policies over';
COMMENT ON COLUMN audiostore.cache_archive_policies.name IS 'policies are tried in the order of their names';
COMMENT ON COLUMN audiostore.cache_archive_policies.pattern IS
    'what the metadata must contain, such as {"voiceModelId": "v1"}; {}: any entry';
COMMENT ON COLUMN audiostore.cache_archive_policies.min_duration_ms IS 'shorter audio is not archived; milliseconds';
COMMENT ON COLUMN audiostore.cache_archive_policies.store IS
    'foreign server to write to; default: the setting audiostore.default_store';
COMMENT ON COLUMN audiostore.cache_archive_policies.keep IS 'how long an archive is kept; NULL: for ever';
COMMENT ON COLUMN audiostore.cache_archive_policies.enabled IS 'false: as if it were not there';
SELECT pg_catalog.pg_extension_config_dump('audiostore.cache_archive_policies', '');

CREATE FUNCTION audiostore_cache.archive_policies_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'audiostore_cache_archive_policies_changed';
COMMENT ON FUNCTION audiostore_cache.archive_policies_changed() IS
    'Checks the store of a policy, and tells every session that policies have changed';
CREATE TRIGGER check_store BEFORE INSERT OR UPDATE OF store ON audiostore.cache_archive_policies
    FOR EACH ROW EXECUTE FUNCTION audiostore_cache.archive_policies_changed();
COMMENT ON TRIGGER check_store ON audiostore.cache_archive_policies IS 'the store exists, and the role has USAGE on it';
CREATE TRIGGER policies_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON audiostore.cache_archive_policies
    FOR EACH STATEMENT EXECUTE FUNCTION audiostore_cache.archive_policies_changed();
COMMENT ON TRIGGER policies_changed ON audiostore.cache_archive_policies IS
    'sessions remember whether there are policies, so that puts need not look';

CREATE FUNCTION audiostore.cache_path_part(name text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN
    CASE WHEN name ~ '^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,199}$' THEN name
         ELSE pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(name, 'UTF8')), 'hex') END;
COMMENT ON FUNCTION audiostore.cache_path_part(text) IS
    'A name as one part of a key: as it is where it is short and plain, else its SHA-256 in hexadecimal';

CREATE FUNCTION audiostore.cache_archive_path(cache_key text, metadata jsonb, compression text, at timestamptz) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    'audio-chunks/' || pg_catalog.to_char(at AT TIME ZONE 'UTC', 'YYYY/MM/DD') || '/'
    || audiostore.cache_path_part(coalesce(nullif(metadata ->> 'session_id', ''), nullif(metadata ->> 'sessionId', ''),
                                           'shared')) || '/'
    || audiostore.cache_path_part(cache_key) || '.'
    || CASE WHEN compression ~ '^[a-z0-9]{1,20}$' AND compression <> 'none' THEN compression ELSE 'bin' END;
COMMENT ON FUNCTION audiostore.cache_archive_path(text, jsonb, text, timestamptz) IS
    'Key of an archived entry: audio-chunks/<yyyy>/<mm>/<dd>/<session>/<cache_key>.<compression>, the day in UTC, the '
    'session from the metadata (session_id or sessionId; without one: shared)';

CREATE FUNCTION audiostore.cache_locate(cache_key text, OUT store name, OUT key text, OUT url text)
    LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT a.store, a.storage_path INTO cache_locate.store, cache_locate.key
    FROM audiostore.audio_chunk_archives a WHERE a.cache_key = cache_locate.cache_key;
    IF FOUND THEN
        BEGIN
            url := audiostore.signed_url(cache_locate.store, cache_locate.key);
        EXCEPTION WHEN feature_not_supported OR object_not_in_prerequisite_state OR invalid_parameter_value THEN
            url := NULL;
        END;
    END IF;
END
$$;
COMMENT ON FUNCTION audiostore.cache_locate(text) IS
    'Where the archived copy of an entry is: store, key, and a URL for an hour (NULL for a store that has none, such as a '
    'local one without public_url). All NULL when the key was never archived, or its archive has gone. Needs SELECT on '
    'audio_chunk_archives and USAGE on the store';

CREATE FUNCTION audiostore.cache_warm(keys text[]) RETURNS bigint
    LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted text;
    archived audiostore.audio_chunk_archives;
    warm bigint := 0;
BEGIN
    FOREACH wanted IN ARRAY keys LOOP
        -- Reads the audio into memory; the digest of it is of no interest.
        PERFORM md5(c.audio_data) FROM audiostore.audio_chunk_cache c
        WHERE c.cache_key = wanted AND c.expires_at > clock_timestamp();
        IF NOT FOUND THEN
            SELECT a.* INTO archived FROM audiostore.audio_chunk_archives a WHERE a.cache_key = wanted;
            CONTINUE WHEN NOT FOUND;
            PERFORM audiostore.cache_put(wanted, audiostore.get_object(archived.store, archived.storage_path),
                                         coalesce(archived.duration_ms, 0),
                                         compression => CASE archived.compression WHEN 'pcm_s16le' THEN 'none'
                                                             ELSE archived.compression END,
                                         archive => NULL, metadata => archived.metadata);
            UPDATE audiostore.audio_chunk_cache c SET store = archived.store, storage_path = archived.storage_path
            WHERE c.cache_key = wanted;
        END IF;
        warm := warm + 1;
    END LOOP;
    RETURN warm;
END
$$;
COMMENT ON FUNCTION audiostore.cache_warm(text[]) IS
    'Readies entries before they are asked for: reads those that are cached into memory, which counts as no lookup, and '
    'fetches those that are only archived, now, from their store, to live for audiostore.cache_ttl again. Returns how '
    'many of the keys are cached then. Needs SELECT on both tables, INSERT and UPDATE on the cache, and USAGE on the store';

CREATE FUNCTION audiostore.cache_archive_expiry() RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    removed bigint;
BEGIN
    WITH due AS (
          UPDATE audiostore.audio_chunk_archives a SET storage_class = r.storage_class
          FROM (SELECT a.cache_key, (SELECT r.storage_class FROM audiostore.cache_archive_rules r
                                     WHERE a.archived_at <= now() - r.age ORDER BY r.age DESC LIMIT 1) AS storage_class
                FROM audiostore.audio_chunk_archives a
                WHERE a.archived_at <= now() - (SELECT min(age) FROM audiostore.cache_archive_rules)) r
          WHERE a.cache_key = r.cache_key AND a.storage_class IS DISTINCT FROM r.storage_class
          RETURNING a.store, a.storage_path, a.storage_class)
    SELECT count(audiostore.set_storage_class(due.store, due.storage_path, due.storage_class)) INTO removed FROM due;
    DELETE FROM audiostore.audio_chunk_archives WHERE expires_at <= now();
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;
REVOKE ALL ON FUNCTION audiostore.cache_archive_expiry() FROM PUBLIC;
COMMENT ON FUNCTION audiostore.cache_archive_expiry() IS
    'Queues the changes of storage class that cache_archive_rules ask for, and removes archives whose time has come, with '
    'their objects; returns how many. The worker and run(''expiry'') call it';
