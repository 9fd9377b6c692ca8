-- The audio cache: lookups, limits, replacement, what is refused. Expiry by the clock is in test/tap.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
SET search_path = audiostore, public;
\pset null NULL

-- Keys: SHA-256 over the bytes of JSON.stringify()
SELECT cache_key('Hello world', 'voice-123', 'session-456', 1, '{"speed": 1.0, "pitch": 0}')
       = encode(sha256('{"text":"Hello world","voiceModelId":"voice-123","sessionId":"session-456","sequenceNumber":1,"settings":{"speed":1,"pitch":0}}'), 'hex') AS full,
       cache_key('Hello world', 'voice-123') = encode(sha256('{"text":"Hello world","voiceModelId":"voice-123"}'), 'hex') AS shared,
       cache_key(E'"\\\n\u0001é', NULL) = encode(sha256(convert_to('{"text":"\"\\\n\u0001é"}', 'UTF8')), 'hex') AS escapes,
       cache_key('a', 'v', settings => 'null') = encode(sha256('{"text":"a","voiceModelId":"v","settings":null}'), 'hex') AS null_settings;
SELECT cache_key('a', 'v', settings => (repeat('[', 1002) || repeat(']', 1002))::json);

-- Put and get
SELECT cache_put('one', '\x0102', 2500, compression => 'none', metadata => '{"sessionId": "s1", "speaker": "clone"}');
SELECT cache_get('one'), cache_get('two');
SELECT cache_key, audio_data, format, duration_ms, sample_rate, channels, compression, storage_path, metadata,
       expires_at - created_at AS ttl, hit_count % 64 AS hit_count, store
FROM cache_entry('one');
SELECT cache_entry('two') IS NULL AS missing;
SELECT * FROM cache_get_many('{two,one,NULL,one}');
SELECT cache_put('one', '\x030405', 1000, 8000, 2, 'mp3', '1 day');
SELECT cache_get('one'), count(*), min(sample_rate), min(channels), min(format), min(expires_at - created_at) FROM audio_chunk_cache;

-- In one transaction: seen at once, gone after a rollback
BEGIN;
SELECT cache_put('one', 'x', 1, compression => 'none'), cache_put('one', 'y', 1, compression => 'none', ttl => '10 s');
SELECT cache_get('one');
ROLLBACK;
SELECT cache_get('one');
BEGIN;
SAVEPOINT s;
SELECT cache_put('one', 'x', 1, compression => 'none');
ROLLBACK TO s;
SELECT cache_put('new', 'x', 1, compression => 'none', ttl => '10 s');
COMMIT;
SELECT cache_get('one'), cache_get('new'), count(*) FROM audio_chunk_cache;
SET audiostore.cache_ttl = '7s';
SELECT cache_put('new', repeat('x', 10000)::bytea, 1, compression => 'none');
SELECT expires_at - created_at, octet_length(audio_data) FROM cache_entry('new');
RESET audiostore.cache_ttl;

-- What is refused leaves the old entry as it was
SELECT cache_put('one', '', 1);
SELECT cache_put('one', NULL, 1);
SELECT cache_put(NULL, 'x', 1);
SELECT cache_put('', 'x', 1);
SELECT cache_put(repeat('ä', 256), 'x', 1);
SELECT cache_put('one', 'x', -1);
SELECT cache_put('one', 'x', NULL);
SELECT cache_put('one', 'x', 1, 0);
SELECT cache_put('one', 'x', 1, channels => -1);
SELECT cache_put('one', 'x', 1, compression => '');
SELECT cache_put('one', 'x', 1, ttl => '0');
SELECT cache_put('one', 'x', 1, ttl => '-1 s');
SELECT cache_put('one', 'x', 1, ttl => '1000 years');
SELECT cache_put('one', 'xyz', 1, compression => 'pcm_s16le');
SELECT cache_put('one', 'RIFF    WAVEnonsense', 1);
SELECT cache_put('one', 'x', 1, archive => true);
SELECT cache_get('one');
SELECT cache_put(repeat('ä', 255), 'x', 1, compression => 'none'), cache_get(repeat('ä', 255));

-- Encoding: raw samples become Opus in Ogg
SELECT cache_put('pcm', decode(repeat('00100020', 8000), 'hex'), NULL, 16000, 1, 'pcm_s16le');
SELECT substr(audio_data, 1, 4), octet_length(audio_data) < 32000 AS smaller, duration_ms, compression, format, (audio_info(audio_data)).codec
FROM cache_entry('pcm');
SELECT cache_put('wav', transcode_audio(audio_data, 'wav'), 1000) FROM cache_entry('pcm');
SELECT substr(audio_data, 1, 4), duration_ms, compression FROM cache_entry('wav');
SELECT cache_put('ogg', audio_data, 1000) FROM cache_entry('pcm');
SELECT cache_get('ogg') = cache_get('pcm') AS taken_as_it_is;

-- Plain SQL: keys stay unique whatever segment they are in
INSERT INTO audio_chunk_cache (cache_key, audio_data, duration_ms, expires_at)
VALUES ('plain', 'p', 10, clock_timestamp() + interval '1 hour');
SELECT cache_get('plain');
INSERT INTO audio_chunk_cache (cache_key, audio_data, duration_ms, expires_at) VALUES ('one', 'p', 10, now() + interval '1 hour');
UPDATE audio_chunk_cache SET cache_key = 'one' WHERE cache_key = 'plain';
UPDATE audio_chunk_cache SET cache_key = 'renamed' WHERE cache_key = 'plain';
SELECT cache_get('plain'), cache_get('renamed');
INSERT INTO audio_chunk_cache (cache_key, audio_data, duration_ms, expires_at, segment) VALUES ('x', 'p', 10, now(), 64);
SELECT cache_put('renamed', 'q', 1, compression => 'none', ttl => '30 days'), count(*) FROM audio_chunk_cache WHERE cache_key = 'renamed';
UPDATE audio_chunk_cache SET expires_at = clock_timestamp() WHERE cache_key = 'renamed';
SELECT cache_get('renamed');
DELETE FROM audio_chunk_cache WHERE cache_key = 'renamed';

-- The monitoring queries of the documents
SELECT COUNT(*) as total_entries, SUM(hit_count) >= 0 as total_hits, AVG(hit_count) >= 0 as avg_hits_per_entry,
       (SUM(hit_count)::float / COUNT(*)) >= 0 as hit_rate
FROM audio_chunk_cache WHERE expires_at > NOW();
SELECT DATE_TRUNC('hour', created_at) IS NOT NULL as hour, COUNT(*) as entries, SUM(LENGTH(audio_data)) > 10000 as total_bytes
FROM audio_chunk_cache WHERE expires_at > NOW() GROUP BY hour ORDER BY hour DESC;
SELECT * FROM (
SELECT cache_key, hit_count >= 0, duration_ms, created_at <= now(), last_accessed_at <= now() FROM audio_chunk_cache
WHERE expires_at > NOW() AND cache_key IN ('one', 'pcm') ORDER BY hit_count DESC LIMIT 10) AS most ORDER BY cache_key;

-- Invalidation
SELECT cache_put('m' || i, 'x', 1, compression => 'none',
                 metadata => jsonb_build_object(CASE WHEN i % 2 = 0 THEN 'sessionId' ELSE 'session_id' END, 's' || i / 4, 'n', i))
FROM generate_series(1, 8) i;
SELECT cache_invalidate('{"sessionId": "s1"}');
SELECT cache_invalidate('{"session_id": "s0", "n": 3}');
SELECT cache_invalidate('{"n": 99}');
SELECT cache_invalidate('{}');
SELECT cache_invalidate(NULL);
SELECT cache_invalidate('[1]');

-- Eviction: the entries accessed last stay
TRUNCATE audio_chunk_cache;
SELECT count(cache_put('e' || i, ('v' || i)::bytea, 1, compression => 'none', ttl => make_interval(secs => 10 + i % 7 * 1000)))
FROM generate_series(1, 100) i;
UPDATE audio_chunk_cache SET last_accessed_at = now() - make_interval(secs => substr(cache_key, 2)::integer);
SELECT evict_lru(-1);
SELECT evict_lru(200);
SELECT evict_lru(30);
SELECT count(*), max(substr(cache_key, 2)::integer) FROM audio_chunk_cache;
SELECT count(cache_get('e' || i)), bool_and(cache_get('e' || i) = ('v' || i)::bytea) FROM generate_series(1, 100) i;
UPDATE audio_chunk_cache SET expires_at = clock_timestamp() WHERE substr(cache_key, 2)::integer > 20;
SELECT evict_expired();
SELECT count(*), count(DISTINCT cache_key) FROM audio_chunk_cache;
BEGIN;
SELECT evict_lru(0);
ROLLBACK;
SELECT count(cache_get('e' || i)) FROM generate_series(1, 100) i;
CALL run('expiry');
SELECT evict_lru(0);
SELECT count(*) FROM audio_chunk_cache;

-- Storage is used again: values are what they were whatever is rolled back, and files do not grow
CREATE FUNCTION pg_temp.audio(i integer, round integer) RETURNS bytea LANGUAGE sql IMMUTABLE AS
    $$ SELECT decode(repeat(md5(i || ' ' || round), 400), 'hex') $$;
CREATE FUNCTION pg_temp.fill(first integer, last integer, round integer) RETURNS bigint LANGUAGE sql AS
    $$ SELECT count(cache_put('s' || i, pg_temp.audio(i, round), 1, compression => 'none', ttl => '1 day',
                              metadata => jsonb_build_object('round', round, 'note', repeat(md5(i::text), 20))))
       FROM generate_series(first, last) i $$;
CREATE FUNCTION pg_temp.files() RETURNS numeric LANGUAGE sql AS
    $$ SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('audio_chunk_cache') $$;
-- Entries, and those of them that are found with the audio of their round.
CREATE VIEW pg_temp.intact AS
    SELECT count(*) AS entries,
           count(*) FILTER (WHERE cache_get(cache_key) = pg_temp.audio(substr(cache_key, 2)::integer, (metadata->>'round')::integer)
                            AND metadata->>'note' = repeat(md5(substr(cache_key, 2)), 20)) AS intact
    FROM audio_chunk_cache;
SELECT pg_temp.fill(1, 300, 1);
CREATE TEMP TABLE before_cycles AS SELECT pg_temp.files() AS size, audiostore_cache.reused_pages() AS reused;
DO $$ BEGIN
    FOR round IN 2..6 LOOP
        PERFORM evict_lru(0);
        COMMIT;
        PERFORM pg_temp.fill(1, 300, round);
        COMMIT;
    END LOOP;
END $$;
SELECT * FROM pg_temp.intact;
SELECT pg_temp.files() <= 1.2 * size AS as_large_as_before,
       (audiostore_cache.reused_pages() > reused + 500) = (current_setting('shared_preload_libraries') = 'audiostore') AS reused
FROM before_cycles;
-- An eviction is rolled back, after its transaction has put others
BEGIN;
SELECT evict_lru(0);
SELECT pg_temp.fill(201, 500, 7);
SELECT * FROM pg_temp.intact;
ROLLBACK;
SELECT * FROM pg_temp.intact;
BEGIN;
SAVEPOINT s;
SELECT evict_lru(10);
SELECT pg_temp.fill(301, 400, 8);
SELECT * FROM pg_temp.intact;
ROLLBACK TO s;
SELECT pg_temp.fill(401, 500, 8);
COMMIT;
SELECT * FROM pg_temp.intact;
-- Most of a segment goes: what stays is where it was, and what comes next takes the place of what went
UPDATE audio_chunk_cache SET metadata = metadata || '{"more": 1}' WHERE cache_key IN ('s300', 's500');
DELETE FROM audio_chunk_cache WHERE cache_key = 's499';
BEGIN;
DELETE FROM audio_chunk_cache WHERE cache_key = 's498';
SELECT pg_temp.fill(501, 502, 9);
SAVEPOINT s;
DELETE FROM audio_chunk_cache WHERE cache_key = 's497';
ROLLBACK TO s;
SELECT evict_lru(20);
SELECT * FROM pg_temp.intact;
ROLLBACK;
SELECT * FROM pg_temp.intact;
SELECT evict_lru(20);
SELECT * FROM pg_temp.intact;
SELECT pg_temp.fill(601, 950, 10);
SELECT * FROM pg_temp.intact;
UPDATE audio_chunk_cache SET expires_at = clock_timestamp() WHERE (metadata->>'round')::integer = 10 AND substr(cache_key, 2)::integer > 630;
SELECT evict_expired();
SELECT * FROM pg_temp.intact;
-- run('expiry') gives back what is not needed
CALL run('expiry');
SELECT * FROM pg_temp.intact;
SELECT pg_temp.files() < size / 2 AS given_back FROM before_cycles;
SELECT evict_lru(0);
CALL run('expiry');
SELECT pg_temp.files() = 64 * 2 * 8192 AS all_given_back;

-- Totals: exact with the library preloaded, else estimated from one in 64
CREATE TEMP TABLE before AS SELECT hits, misses, puts, evictions FROM cache_stats();
SELECT count(cache_get('nothing')) FROM generate_series(1, 6400);
SELECT count(cache_put('n' || i, 'x', 1, compression => 'none')) FROM generate_series(1, 1280) i;
SELECT count(cache_get('n1')) FROM generate_series(1, 6400);
SELECT evict_lru(0);
CREATE FUNCTION pg_temp.about(numeric, numeric) RETURNS boolean LANGUAGE sql AS 'SELECT $1 BETWEEN $2 / 4 AND $2 * 3';
SELECT pg_temp.about(s.hits - b.hits, 6400) AS hits, pg_temp.about(s.misses - b.misses, 6400) AS misses,
       pg_temp.about(s.puts - b.puts, 1280) AS puts, s.evictions - b.evictions AS evictions
FROM cache_stats() s, before b;
CALL run('expiry');
SELECT pg_temp.about(sum(c.hits) - min(b.hits), 6400) AS hits, pg_temp.about(sum(c.misses) - min(b.misses), 6400) AS misses,
       pg_temp.about(sum(c.puts) - min(b.puts), 1280) AS puts, sum(c.evicted) - min(b.evictions) AS evictions
FROM cache_counters c, before b;

-- Nobody stores or finds anything when caching is off
SET audiostore.caching = off;
SELECT cache_put('off', 'x', 1, compression => 'none'), cache_get('one');
RESET audiostore.caching;
SELECT cache_get('off');

-- Claims: generate, or wait for who does
SELECT cache_claim('c'), cache_claim('c');
SELECT cache_release('c'), cache_release('c');
SELECT cache_claim('c');
SELECT cache_put('c', 'x', 1, compression => 'none');
SELECT cache_claim('c'), cache_release('c');
SELECT cache_claim('c', '-1 s');
SELECT cache_claim('c', NULL);

-- Archives outlive their entries
CREATE SERVER cache_archive FOREIGN DATA WRAPPER audiostore OPTIONS (provider 's3', bucket 'bucket', region 'r', endpoint 'http://127.0.0.1:9', addressing 'path');
CREATE USER MAPPING FOR PUBLIC SERVER cache_archive OPTIONS (access_key_id 'k', secret_access_key 's');
SET audiostore.default_store = 'cache_archive';
SELECT cache_put('arch', 'audio', 5, archive => true, metadata => '{"sessionId": "session-456"}');
SELECT cache_put('a/../b', 'audio', 5, compression => 'none', archive => true);
SELECT regexp_replace(storage_path, '/\d{4}/\d\d/\d\d/', '/DAY/') AS path, store, size, compression, expires_at - archived_at AS kept
FROM audio_chunk_archives ORDER BY 1;
SELECT regexp_replace(storage_path, '/\d{4}/\d\d/\d\d/', '/DAY/'), store FROM cache_entry('arch');
SELECT kind, store, regexp_replace(key, '/\d{4}/\d\d/\d\d/', '/DAY/') FROM operations ORDER BY id;
SELECT evict_lru(0);
SELECT store, regexp_replace(key, '/\d{4}/\d\d/\d\d/', '/DAY/') AS key,
       regexp_replace(url, '/\d{4}/.*', '') AS url FROM cache_locate('arch');
SELECT * FROM cache_locate('one');
SELECT cache_warm('{arch,nothing}');
SELECT cache_get('arch'), (SELECT store FROM cache_entry('arch'));
SELECT count(*) FROM operations WHERE kind = 'put';
-- Policies archive without being told
INSERT INTO cache_archive_policies (name, store) VALUES ('nowhere', 'no_such_store');
INSERT INTO cache_archive_policies (name, pattern) VALUES ('list', '[1]');
INSERT INTO cache_archive_policies (name, keep) VALUES ('never', '0');
INSERT INTO cache_archive_policies (name, pattern, min_duration_ms, keep)
VALUES ('b clone', '{"voiceModelId": "clone"}', 0, '30 days'), ('a long', '{}', 60000, NULL);
SELECT cache_put('p' || i, 'audio', duration, archive => archive, metadata => metadata::jsonb)
FROM (VALUES (1, 5, false, '{"voiceModelId": "clone"}'), (2, 5, false, '{"voiceModelId": "other"}'),
             (3, 60000, false, '{"voiceModelId": "clone"}'), (4, 60000, NULL, '{}'), (5, 5, true, '{"voiceModelId": "clone"}'),
             (6, 5, true, '{}')) AS entries (i, duration, archive, metadata);
SELECT cache_key, store, expires_at - archived_at AS kept FROM audio_chunk_archives WHERE cache_key ~ '^p\d' ORDER BY 1;
SELECT cache_key, storage_path IS NOT NULL AS archived FROM audio_chunk_cache WHERE cache_key ~ '^p\d' ORDER BY 1;
UPDATE cache_archive_policies SET enabled = false;
SELECT cache_put('p7', 'audio', 60000), (SELECT storage_path FROM cache_entry('p7'));
CREATE ROLE cache_archivist;
GRANT USAGE ON SCHEMA audiostore TO cache_archivist;
GRANT INSERT ON cache_archive_policies, audio_chunk_cache TO cache_archivist;
SET ROLE cache_archivist;
INSERT INTO cache_archive_policies (name, store) VALUES ('mine', 'cache_archive');
RESET ROLE;
UPDATE cache_archive_policies SET enabled = true;
SET ROLE cache_archivist;
SELECT cache_put('p8', 'audio', 60000), cache_put('p9', 'audio', 5);
SELECT cache_put('p9', 'audio', 5, archive => true);
RESET ROLE;
SELECT cache_key FROM audio_chunk_archives WHERE cache_key ~ '^p[89]' ORDER BY 1;
TRUNCATE cache_archive_policies;
SELECT cache_put('p10', 'audio', 60000), (SELECT storage_path FROM cache_entry('p10'));
REVOKE ALL ON cache_archive_policies, audio_chunk_cache FROM cache_archivist;
REVOKE USAGE ON SCHEMA audiostore FROM cache_archivist;
DROP ROLE cache_archivist;
DELETE FROM audio_chunk_archives WHERE cache_key ~ '^p\d';
DELETE FROM operations WHERE key ~ '/p\d+\.opus$';
UPDATE audio_chunk_archives SET expires_at = now() WHERE cache_key = 'arch';
INSERT INTO cache_archive_rules VALUES ('30 days', 'NEARLINE'), ('90 days', 'COLDLINE');
UPDATE audio_chunk_archives SET archived_at = now() - interval '100 days' WHERE cache_key <> 'arch';
SELECT cache_archive_expiry();
SELECT kind, regexp_replace(key, '/\d{4}/\d\d/\d\d/', '/DAY/') AS key FROM operations WHERE kind <> 'put' ORDER BY id;
SELECT storage_class FROM audio_chunk_archives;
DELETE FROM audio_chunk_archives;
DELETE FROM cache_archive_rules;
DELETE FROM operations;
RESET audiostore.default_store;
DROP SERVER cache_archive CASCADE;

-- Rights are those on the table
CREATE ROLE cache_reader;
GRANT USAGE ON SCHEMA audiostore TO cache_reader;
SET ROLE cache_reader;
SELECT cache_get('c');
RESET ROLE;
GRANT SELECT ON audio_chunk_cache TO cache_reader;
SET ROLE cache_reader;
SELECT cache_get('c');
SELECT cache_put('c', 'x', 1);
SELECT cache_claim('c');
SELECT evict_expired();
SELECT evict_lru();
SELECT cache_invalidate('{"a": 1}');
RESET ROLE;
GRANT INSERT ON audio_chunk_cache TO cache_reader;
SET ROLE cache_reader;
SELECT cache_put('by_reader', 'x', 1, compression => 'none', ttl => '40 days'), cache_get('by_reader');
SELECT cache_get('by_reader');
RESET ROLE;
REVOKE ALL ON audio_chunk_cache FROM cache_reader;
REVOKE USAGE ON SCHEMA audiostore FROM cache_reader;
DROP ROLE cache_reader;
BEGIN READ ONLY;
SELECT cache_get('c');
SELECT cache_put('c', 'x', 1);
ROLLBACK;
SET audiostore.cache_ttl = 0;
SELECT name, setting, unit, min_val, max_val, enumvals, context FROM pg_settings WHERE name ~ '^audiostore\.cach' ORDER BY 1;
TRUNCATE audio_chunk_cache;
