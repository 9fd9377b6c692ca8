CREATE FUNCTION audiostore.evict_expired() RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_evict_expired';
COMMENT ON FUNCTION audiostore.evict_expired() IS
    'Removes the entries that have expired, now and in this transaction; returns how many. Segments are emptied as a whole '
    'where all or most of their entries have expired, and their space is used again. Lookups do not wait for it: they miss what lies in such a segment '
    'until the transaction ends. The worker does this by itself. Needs DELETE on audio_chunk_cache';

CREATE FUNCTION audiostore.evict_lru(max_entries integer DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_evict_lru';
COMMENT ON FUNCTION audiostore.evict_lru(integer) IS
    'Keeps the max_entries entries that were accessed last of those that have not expired, and removes the others, now and '
    'in this transaction; returns how many. NULL: by audiostore.cache_max_entries and cache_max_bytes. The worker does '
    'this by itself when a limit is passed. Needs DELETE on audio_chunk_cache. Errors: 22023 for a negative number';

CREATE FUNCTION audiostore_cache.reused_pages() RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'audiostore_cache_reused_pages';
COMMENT ON FUNCTION audiostore_cache.reused_pages() IS
    'Pages of emptied segments that were used again for other audio since the server was started; 0 without '
    'shared_preload_libraries';
