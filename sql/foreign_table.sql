-- Foreign tables that list a store.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
SELECT current_setting('data_directory') || '/regress-tables' AS root,
       'cat >/dev/null; cd "' || current_setting('data_directory') || '" && rm -rf regress-tables && mkdir regress-tables'
       ' && cd regress-tables && mkdir raw done && (for i in $(seq -w 1200); do echo $i > raw/$i.wav; done)'
       ' && echo > done/Zoe.mp3 && echo > done/anna.mp3 && echo > done/ärger.mp3 && echo > "done/100%_sure.mp3"'
       ' && echo > top.mp3' AS make_root \gset
COPY (SELECT 1) TO PROGRAM :'make_root';
CREATE SERVER ft_media FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root');
CREATE SCHEMA ft;
SET search_path = ft, public;
-- Plans as all versions print them.
CREATE FUNCTION ft_explain(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) ' || query LOOP
        RETURN NEXT regexp_replace(line, 'rows=(\d+)\.00', 'rows=\1');
    END LOOP;
END
$$;

IMPORT FOREIGN SCHEMA "raw/" FROM SERVER ft_media INTO ft;
IMPORT FOREIGN SCHEMA "/" FROM SERVER ft_media INTO ft;
IMPORT FOREIGN SCHEMA "done/" LIMIT TO (something) FROM SERVER ft_media INTO ft;
IMPORT FOREIGN SCHEMA "done/" EXCEPT (done) FROM SERVER ft_media INTO ft;
IMPORT FOREIGN SCHEMA "done/" FROM SERVER ft_media INTO ft OPTIONS (prefix 'x');
IMPORT FOREIGN SCHEMA "done/" LIMIT TO (done) FROM SERVER ft_media INTO ft;
SELECT c.relname, t.ftoptions, string_agg(format('%s %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY attnum)
FROM pg_foreign_table t JOIN pg_class c ON c.oid = ftrelid JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0
WHERE relnamespace = 'ft'::regnamespace GROUP BY 1, 2 ORDER BY 1;

SELECT count(*), sum(size), min(key), max(key), count(DISTINCT storage_class), bool_and(last_modified <= now()) FROM raw;
SELECT key, size FROM done;
SELECT key FROM ft_media WHERE key NOT LIKE 'raw/%';

-- By hand: any subset of the columns, in any order.
CREATE FOREIGN TABLE sizes (size bigint, key text) SERVER ft_media OPTIONS (prefix 'done/');
SELECT * FROM sizes;
ALTER FOREIGN TABLE sizes DROP COLUMN size;
SELECT * FROM sizes;
CREATE FOREIGN TABLE wrong_name (key text, owner text) SERVER ft_media;
SELECT * FROM wrong_name;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE wrong_type (key text, size integer) SERVER ft_media;
SELECT * FROM wrong_type;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE wrong_option (key text) SERVER ft_media OPTIONS (prefi 'x');

-- Conditions on the key go to the store.
SELECT ft_explain($$SELECT key FROM raw WHERE key LIKE 'raw/001%'$$);
SELECT ft_explain($$SELECT key FROM raw WHERE key = 'raw/0017.wav'$$);
SELECT ft_explain($$SELECT key FROM raw WHERE 'raw/0017.wav' = key$$);
SELECT ft_explain($$SELECT key FROM raw WHERE starts_with(key, 'raw/11')$$);
SELECT ft_explain($$SELECT key FROM raw WHERE key ^@ 'raw/11'$$);
SELECT ft_explain($$SELECT key FROM raw WHERE key >= 'raw/0100' AND key < 'raw/0103'$$);
SELECT ft_explain($$SELECT key FROM raw WHERE 'raw/1198' < key$$);
SELECT ft_explain($$SELECT key FROM raw WHERE key LIKE 'elsewhere/%'$$);
SELECT ft_explain($$SELECT key FROM raw WHERE key = NULL$$);
SELECT ft_explain($$SELECT key FROM done WHERE key LIKE 'done/100\%\_%'$$);
SELECT ft_explain($$SELECT key FROM done WHERE key LIKE '%.mp3' AND size > 0$$);
SELECT ft_explain($$SELECT key FROM done WHERE key >= 'done/ärger' AND key <= 'done/ärger.mp3'$$);
SELECT key FROM done WHERE key LIKE 'done/100\%\_%';
SELECT key FROM raw WHERE key > 'raw/0999.wav' AND key <= 'raw/1002.wav';
SELECT key FROM done WHERE key < 'done/a' ORDER BY key DESC;

-- Rows come in byte order, so nothing is sorted, and LIMIT asks for no more than it needs.
SELECT ft_explain($$SELECT key FROM raw ORDER BY key LIMIT 3$$);
SELECT ft_explain($$SELECT key FROM sizes ORDER BY key COLLATE "C" LIMIT 1$$);
SELECT ft_explain($$SELECT key FROM raw LIMIT 1100$$);
EXPLAIN (COSTS OFF) SELECT key FROM raw ORDER BY key DESC;
SET enable_hashjoin = off;
SET enable_nestloop = off;
CREATE TABLE clips (key text COLLATE "C" PRIMARY KEY);
INSERT INTO clips SELECT format('raw/%s.wav', to_char(i, 'FM0000')) FROM generate_series(0, 5) i;
EXPLAIN (COSTS OFF) SELECT clips.key, raw.key FROM clips LEFT JOIN raw USING (key);
SELECT clips.key AS row, raw.key AS object FROM clips LEFT JOIN raw USING (key) ORDER BY 1;
RESET enable_hashjoin;
RESET enable_nestloop;

-- Values that are known only when the scan begins, and again for each outer row.
PREPARE by_prefix(text) AS SELECT count(*) FROM raw WHERE key LIKE $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE by_prefix('raw/01%');
EXECUTE by_prefix('raw/0001.wav');
EXECUTE by_prefix(NULL);
RESET plan_cache_mode;
SELECT p, (SELECT count(*) FROM raw WHERE key ^@ p) FROM unnest(ARRAY['raw/0', 'raw/1', 'raw/11', NULL]) p;
SELECT count(*) FROM (SELECT 1 FROM generate_series(1, 3) i, LATERAL (SELECT key FROM raw WHERE size = i + 2 OFFSET 0) k) x;
BEGIN;
DECLARE c CURSOR FOR SELECT key FROM raw;
FETCH 2 FROM c;
MOVE 998 FROM c;
FETCH 2 FROM c;
COMMIT;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT key FROM raw;
MOVE 1100 FROM c;
MOVE ABSOLUTE 0 IN c;
FETCH 1 FROM c;
COMMIT;
SELECT count(*) FROM raw WHERE key ^@ (SELECT 'raw/' || min(i) FROM generate_series(1, 2) i);

-- Estimates come from ANALYZE.
ANALYZE raw;
SELECT reltuples FROM pg_class WHERE oid = 'raw'::regclass;
SELECT attname, n_distinct FROM pg_stats WHERE tablename = 'raw' AND attname IN ('key', 'size') ORDER BY 1;
DO $$
DECLARE
    plan json;
BEGIN
    EXECUTE $e$EXPLAIN (FORMAT JSON) SELECT * FROM ft.raw WHERE key LIKE 'raw/01%'$e$ INTO plan;
    RAISE NOTICE 'about 100 rows: %', (plan #>> '{0,Plan,Plan Rows}')::numeric BETWEEN 50 AND 200;
END
$$;

-- It is for reading.
INSERT INTO raw (key) VALUES ('raw/x');
\echo :LAST_ERROR_SQLSTATE
UPDATE raw SET size = 1;
DELETE FROM raw;
TRUNCATE raw;

-- USAGE on the store counts, that of a view's owner where there is a view.
CREATE ROLE ft_reader;
GRANT USAGE ON SCHEMA ft TO ft_reader;
GRANT SELECT ON done TO ft_reader;
CREATE VIEW done_keys AS SELECT key FROM done;
GRANT SELECT ON done_keys TO ft_reader;
SET ROLE ft_reader;
SELECT key FROM done;
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM done_keys;
RESET ROLE;

-- A store that is not there.
ALTER SERVER ft_media OPTIONS (SET root '/nonexistent/audiostore');
SELECT key FROM done;

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA ft CASCADE;
DROP SERVER ft_media;
DROP ROLE ft_reader;
