-- The report: one page, whatever is in the database. The page as a whole changes with every second; what holds of it is
-- looked at here.
CREATE DATABASE regress_report TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';
\c regress_report
CREATE EXTENSION audiostore;
CREATE FUNCTION page(since interval DEFAULT '30 days') RETURNS text LANGUAGE sql STABLE AS
    'SELECT audiostore.report(since)';
-- Text of the page as a reader sees it: what is between the tags of one section.
CREATE FUNCTION section(id text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT regexp_replace(regexp_replace(substring(page() FROM '<section id="' || id || '">(.*?)</section>'),
                                         '<(br|/tr|/p|/h2|/h3|/article|/pre)/?>', E'\n', 'g'), '<[^>]*>', ' ', 'g')
$$;
CREATE FUNCTION sections() RETURNS SETOF text LANGUAGE sql STABLE AS
    $$SELECT m[1] FROM regexp_matches(page(), '<section id="([^"]*)">', 'g') m$$;

-- An empty database: a page that says what to do first.
SELECT page() ~ '^<!DOCTYPE html>\n<html lang="en">' AS begins, page() ~ '</body></html>\n$' AS ends, length(page()) < 30000 AS small;
SELECT * FROM sections();
SELECT section('attention') ~ 'Nothing\. There are no open alerts' AS calm,
       section('storage') ~ 'CREATE SERVER media FOREIGN DATA WRAPPER audiostore' AS says_how_to_begin,
       section('policies') ~ 'There are none' AS policies;

-- Nothing is loaded from anywhere, and nothing runs.
SELECT page() ~ 'default-src ''none''; style-src ''sha256-[A-Za-z0-9+/]{43}=''' AS policy,
       page() ~* '<(script|img|iframe|object|embed|link|base|form|image|use)' AS loads,
       page() ~* '\son[a-z]+="|javascript:|url\(|@import|\shref="[^#]|\ssrc=' AS runs,
       octet_length(page()) = length(page()) AND page() !~ '[^\x01-\x7f]' AS ascii;

-- Arguments.
SELECT audiostore.report(NULL);
SELECT audiostore.report('0');
SELECT audiostore.report('-1 day');
SELECT audiostore.report('101 years');
SELECT page('1 year') ~ ('looking back to ' || to_char((statement_timestamp() - interval '1 year') AT TIME ZONE 'UTC', 'YYYY-MM-DD')) AS year;

-- Only reads, and so in a read-only transaction as well.
BEGIN READ ONLY;
SELECT length(page()) > 5000 AS page;
COMMIT;
SELECT provolatile, proisstrict, prosecdef FROM pg_proc WHERE proname = 'report';

-- Names that would do harm.
CREATE SERVER "sh'o""p</td><script>alert(1)</script>" FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 's3', bucket 'a-bucket', region 'eu-west-1');
CREATE TABLE "<b>rows"(path text, bytes bigint);
SELECT audiostore.track('"<b>rows"', 'path', 'sh''o"p</td><script>alert(1)</script>', size_column => 'bytes');
INSERT INTO "<b>rows" SELECT 'key ' || n, 1000000 FROM generate_series(1, 1234) n;
ANALYZE "<b>rows";
INSERT INTO audiostore.operation_rows (kind, store, key, state, not_before, enqueued_at, last_error)
    SELECT 'delete', 'sh''o"p</td><script>alert(1)</script>', '<img src=x onerror=alert(' || n || ')>', 'dead', 'infinity', now() - interval '2 days',
           E']]> \x01\u202E</pre>' FROM generate_series(1, 3) n;
INSERT INTO audiostore.workspaces (id, name) VALUES ('00000000-0000-0000-0000-000000000001', '"><svg onload=alert(1)>');
INSERT INTO audiostore.storage_quotas (workspace_id, max_storage_bytes, current_storage_bytes)
    VALUES ('00000000-0000-0000-0000-000000000001', 1000, 950);
INSERT INTO audiostore.alerts (name, subject, message) VALUES ('</article>', E'line\nfeed', '<i>&amp;</i>');
INSERT INTO audiostore.runs (task, started_at, finished_at, error)
    SELECT 'task <' || n || '>', now() - interval '1 hour', now() - interval '59 minutes', CASE WHEN n = 7 THEN '<u>broken' END
    FROM generate_series(1, 30) n;
SELECT * FROM sections();
SELECT page() ~* '<(script|img|iframe|object|embed|b>|i>|u>)' AS as_markup,
       regexp_replace(page(), '="[^"]*"', '=""', 'g') ~* '<[^<>]*\son[a-z]+=' AS handlers,
       page() ~ '&lt;script&gt;alert\(1\)&lt;/script&gt;' AS as_text,
       page() ~ '&#x27E8;U\+0001&#x27E9;&#x27E8;U\+202E&#x27E9;&lt;/pre&gt;' AS unseen_is_named,
       page() ~ '[\x01-\x08\x0b-\x1f]' AS controls;
-- Every element that begins ends, in the right order.
CREATE FUNCTION unbalanced(page text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    open text[] := '{}';
    tag record;
BEGIN
    FOR tag IN SELECT m[1] = '/' AS ends, m[2] AS name, right(m[3], 1) = '/' AS alone
               FROM regexp_matches(page, '<(/?)([a-zA-Z0-9]+)([^<>]*)>', 'g') m LOOP
        IF tag.ends AND open[cardinality(open)] IS DISTINCT FROM tag.name THEN
            RETURN format('%s ends in %s', tag.name, open);
        ELSIF tag.ends THEN
            open := trim_array(open, 1);
        ELSIF NOT tag.alone THEN
            open := open || tag.name;
        END IF;
    END LOOP;
    RETURN open::text;
END
$$;
SELECT unbalanced(page());

-- What needs attention comes first, the urgent before the rest, with SQL that names the store as it is.
SELECT regexp_matches(page(), '<span class="tag">([^<]*)</span><bdi>([^<]*)</bdi>', 'g') AS concern;
SELECT section('attention') ~ $$SELECT audiostore\.retry_operation\(id\) FROM audiostore\.dead_operations WHERE store = &#39;sh&#39;&#39;o&quot;p$$ AS sql;

-- What is stored where: counted, as the tables are small.
SELECT section('storage') ~ 'counted now' AS counted, section('storage') ~ '1,234' AS objects, section('storage') ~ '1\.23 GB' AS bytes;
SELECT section('runs') ~ 'and 10 more' AS more;

-- A table that cannot be counted does not take the report away.
CREATE FUNCTION broken(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RAISE EXCEPTION ''broken <on purpose>''; END';
CREATE TABLE unlucky (path text);
SELECT audiostore.track('unlucky', 'path', 'sh''o"p</td><script>alert(1)</script>', live_when => 'public.broken(path)');
ALTER TABLE unlucky DISABLE TRIGGER ALL;
INSERT INTO unlucky VALUES ('x');
SELECT section('attention') ~ 'broken &lt;on purpose&gt;' AS told, section('storage') ~ '1,234' AS others_are_counted;
CREATE OR REPLACE FUNCTION broken(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false';
DROP TABLE unlucky;

-- As of one moment: what a statement writes while it reads is not in it.
WITH written AS (INSERT INTO audiostore.alerts (name, subject, message) VALUES ('written now', '', '') RETURNING id)
SELECT page() ~ 'written now' AS seen, count(*) FROM written;
SELECT page() ~ 'written now' AS seen;

-- For members of pg_monitor, and nobody else.
CREATE ROLE report_reader;
SET ROLE report_reader;
SELECT audiostore.report();
RESET ROLE;
GRANT pg_monitor TO report_reader;
SET ROLE report_reader;
SELECT length(audiostore.report()) > 10000 AS page, audiostore.report() ~ '950 B of 1\.00 kB' AS quotas;
SELECT current_user;
RESET ROLE;
\c regression
DROP DATABASE regress_report;
DROP ROLE report_reader;
