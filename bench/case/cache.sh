# shellcheck shell=bash disable=SC2034,SC2154
# What the cases of the audio cache share: 200,000 entries of 10 KB (CACHE_ENTRIES), the same as a plain table with the
# columns of the cache and a key, and as the table that the documents specify, with its indexes.

cache_entries=${CACHE_ENTRIES:-200000}

cache_settings() {
    local setting
    for setting in "$@"; do sql -c "ALTER SYSTEM SET audiostore.$setting"; done
    sql -c 'SELECT pg_reload_conf()' >/dev/null
    sleep 0.2
}

cache_source() {
    sql -c "SELECT to_regclass('bench.cache_source') IS NOT NULL" | grep -q t || sql >/dev/null <<'SQL'
CREATE TABLE bench.cache_source (i integer PRIMARY KEY, data bytea);
ALTER TABLE bench.cache_source ALTER data SET STORAGE EXTERNAL;
INSERT INTO bench.cache_source
SELECT i, (SELECT string_agg(sha256(convert_to(i || ' ' || j, 'UTF8')), '') FROM generate_series(1, 320) j)
FROM generate_series(1, 1000) i;
SQL
}

# cache_fill FIRST LAST TTL: entries with the keys md5(i) || md5(i)
cache_fill() { cache_fill_statement "$@" | sql >/dev/null; }
cache_fill_statement() {
    cat <<SQL
DO \$\$ BEGIN FOR b IN $1..$2 BY 2000 LOOP
    PERFORM count(audiostore.cache_put(md5(k.i::text) || md5(k.i::text), data, 2500, ttl => '$3'))
    FROM generate_series(b, least(b + 1999, $2)) k (i) JOIN bench.cache_source s ON s.i = 1 + k.i % 1000;
    COMMIT;
END LOOP; END \$\$;
SQL
}

# cache_document NAME TTL_OF_ODD: the documents' table, word for word
cache_document() {
    sql >/dev/null <<SQL
SET client_min_messages = warning;
DROP TABLE IF EXISTS bench.$1;
CREATE TABLE bench.$1 (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(), cache_key VARCHAR(255) UNIQUE NOT NULL, audio_data BYTEA NOT NULL,
  format VARCHAR(20) DEFAULT 'opus', duration_ms INTEGER NOT NULL, sample_rate INTEGER DEFAULT 16000, channels INTEGER DEFAULT 1,
  compression VARCHAR(20) DEFAULT 'opus', storage_path VARCHAR(500), metadata JSONB DEFAULT '{}', created_at TIMESTAMP DEFAULT NOW(),
  expires_at TIMESTAMP NOT NULL, hit_count INTEGER DEFAULT 0, last_accessed_at TIMESTAMP DEFAULT NOW());
CREATE INDEX ON bench.$1 (cache_key); CREATE INDEX ON bench.$1 (expires_at); CREATE INDEX ON bench.$1 (last_accessed_at);
CREATE INDEX ON bench.$1 (storage_path);
ALTER TABLE bench.$1 SET (autovacuum_enabled = off, toast.autovacuum_enabled = off);
INSERT INTO bench.$1 (cache_key, audio_data, duration_ms, expires_at, last_accessed_at)
SELECT md5(k.i::text) || md5(k.i::text), data, 2500,
       now() + CASE WHEN k.i % 2 = 1 THEN interval '$2' ELSE interval '1 day' END, now() - random() * interval '1 hour'
FROM generate_series(1, $cache_entries) k (i) JOIN bench.cache_source s ON s.i = 1 + k.i % 1000;
VACUUM ANALYZE bench.$1;
CHECKPOINT;
SQL
}

# cache_plain NAME: a table with the cache's columns and one key
cache_plain() {
    sql >/dev/null <<SQL
SET client_min_messages = warning;
DROP TABLE IF EXISTS bench.$1;
CREATE TABLE bench.$1 (LIKE audiostore.audio_chunk_cache INCLUDING DEFAULTS INCLUDING STORAGE);
ALTER TABLE bench.$1 ALTER segment SET DEFAULT 1, ADD PRIMARY KEY (cache_key);
SQL
}

# Files included.
cache_empty() {
    sql -c 'SELECT audiostore.evict_lru(0)' -c 'SELECT audiostore.evict_expired()' -c "CALL audiostore.run('expiry')" \
        -c CHECKPOINT >/dev/null
}

# Bytes of the cache's files by bytes of audio in it.
cache_files() {
    sql -c "SELECT round((SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('audiostore.audio_chunk_cache'))
        / greatest((SELECT sum(length(audio_data)) FROM audiostore.audio_chunk_cache), 1), 2)"
}

# cache_client VARIANT ARGUMENTS...: records the operations per second of bench/cache.cpp
cache_client() {
    local variant=$1 start output
    shift
    start=$(wal_position)
    output=$("$programs/cache" "$@")
    record "$variant" "${output%% *}" "$(wal_since "$start")"
    echo "# $round $variant $output" >>"$raw"
}
