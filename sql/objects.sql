-- Objects by key, in a local store.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
SELECT current_setting('data_directory') || '/regress-objects' AS root,
       'cat >/dev/null; rm -rf "' || current_setting('data_directory') || '/regress-objects"; mkdir -p "'
       || current_setting('data_directory') || '/regress-objects/a" "'
       || current_setting('data_directory') || '/regress-objects/b"' AS make_root \gset
COPY (SELECT 1) TO PROGRAM :'make_root';
SELECT :'root' || '/a' AS root_a, :'root' || '/b' AS root_b \gset
CREATE SERVER ob_a FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root_a');
CREATE SERVER ob_b FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root_b', prefix 'sub/');
-- With and without a worker: until nothing is left to do.
CREATE PROCEDURE ob_drain() LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        CALL audiostore.run('outbox');
        EXIT WHEN NOT EXISTS (SELECT FROM audiostore.operations WHERE store LIKE 'ob\_%' AND state <> 'dead');
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;

-- A put is seen at once by its own transaction, and leaves nothing behind when that is rolled back.
BEGIN;
SELECT audiostore.put_object('ob_a', 'talk/one.txt', 'Hello, hello', 'text/plain', '{"speaker": "anna"}') > 0 AS queued;
SELECT convert_from(audiostore.get_object('ob_a', 'talk/one.txt'), 'UTF8');
SELECT convert_from(audiostore.get_object('ob_a', 'talk/one.txt', 7), 'UTF8') AS from_7,
       convert_from(audiostore.get_object('ob_a', 'talk/one.txt', 0, 5), 'UTF8') AS first_5,
       convert_from(audiostore.get_object('ob_a', 'talk/one.txt', 10, 100), 'UTF8') AS past_end,
       audiostore.get_object('ob_a', 'talk/one.txt', 12) AS at_end;
SELECT size, etag, last_modified IS NOT NULL AS dated, storage_class, content_type, metadata
FROM audiostore.head_object('ob_a', 'talk/one.txt');
SELECT audiostore.put_object('ob_a', 'talk/one.txt', 'second') > 0 AS queued;
SELECT convert_from(audiostore.get_object('ob_a', 'talk/one.txt'), 'UTF8'),
       (audiostore.head_object('ob_a', 'talk/one.txt')).content_type;
-- In one statement, too.
SELECT audiostore.put_object('ob_a', 'talk/two.txt', 'x') > 0 AS queued, audiostore.get_object('ob_a', 'talk/two.txt');
SAVEPOINT before_error;
SELECT audiostore.get_object('ob_a', 'talk/one.txt', 7);
ROLLBACK TO before_error;
SELECT key FROM audiostore.list_objects('ob_a');
ROLLBACK;
SELECT * FROM audiostore.head_object('ob_a', 'talk/one.txt');
SELECT audiostore.get_object('ob_a', 'talk/one.txt');
\echo :LAST_ERROR_SQLSTATE

-- Committed, it comes to be.
SELECT audiostore.put_object('ob_a', 'talk/one.txt', 'Hello, hello', 'text/plain', '{"speaker": "anna"}') > 0 AS queued;
SELECT audiostore.put_object('ob_a', 'talk/zwei ä+%.txt', '\x00ff00') > 0 AS queued;
SELECT audiostore.put_object('ob_a', 'empty', '') > 0 AS queued;
CALL ob_drain();
SELECT key, size, etag IS NOT NULL AS has_etag, last_modified > now() - interval '1 day' AS dated, storage_class
FROM audiostore.list_objects('ob_a');
SELECT key FROM audiostore.list_objects('ob_a', 'talk/');
SELECT key FROM audiostore.list_objects('ob_a', 'nothing/');
SELECT convert_from(audiostore.get_object('ob_a', 'talk/one.txt'), 'UTF8') AS whole,
       convert_from(audiostore.get_object('ob_a', 'talk/one.txt', 7), 'UTF8') AS from_7,
       convert_from(audiostore.get_object('ob_a', 'talk/one.txt', 0, 5), 'UTF8') AS first_5,
       convert_from(audiostore.get_object('ob_a', 'talk/one.txt', 10, 100), 'UTF8') AS past_end;
SELECT audiostore.get_object('ob_a', 'talk/zwei ä+%.txt'), audiostore.get_object('ob_a', 'empty') AS empty,
       audiostore.get_object('ob_a', 'talk/one.txt', 3, 0) AS none;
SELECT size, etag IS NOT NULL AS has_etag, storage_class, content_type, metadata
FROM audiostore.head_object('ob_a', 'talk/one.txt');
SELECT audiostore.get_object('ob_a', 'talk/one.txt', 13);
SELECT audiostore.get_object('ob_a', 'talk/one.txt', -1);
SELECT audiostore.get_object('ob_a', 'talk/one.txt', 0, -1);

-- Copies and moves, between stores too.
SELECT audiostore.copy_object('ob_a', 'talk/one.txt', 'ob_a', 'copies/one.txt') > 0 AS queued;
SELECT audiostore.copy_object('ob_a', 'talk/one.txt', 'ob_b', 'one.txt') > 0 AS queued;
SELECT audiostore.move_object('ob_a', 'empty', 'ob_b', 'moved/empty') > 0 AS queued;
CALL ob_drain();
SELECT key, size FROM audiostore.list_objects('ob_a');
SELECT key, size FROM audiostore.list_objects('ob_b');
SELECT content_type, metadata FROM audiostore.head_object('ob_b', 'one.txt');
SELECT audiostore.copy_object('ob_a', 'talk/one.txt', 'ob_a', 'talk/one.txt');
SELECT audiostore.move_object('ob_a', 'talk/one.txt', 'ob_a', 'talk/one.txt');

-- Deletes.
BEGIN;
SELECT audiostore.delete_object('ob_a', 'copies/one.txt') > 0 AS queued;
SELECT size FROM audiostore.head_object('ob_a', 'copies/one.txt');
ROLLBACK;
SELECT audiostore.delete_object('ob_a', 'copies/one.txt') > 0 AS queued;
SELECT audiostore.delete_object('ob_a', 'never/was') > 0 AS queued;
CALL ob_drain();
SELECT key FROM audiostore.list_objects('ob_a');

-- What a live row holds stays.
CREATE TABLE ob_clips (key text, status text);
SELECT audiostore.track('ob_clips', 'key', store => 'ob_a', live_when => $$status <> 'gone'$$);
INSERT INTO ob_clips VALUES ('talk/one.txt', 'ok');
SELECT audiostore.delete_object('ob_a', 'talk/one.txt');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.move_object('ob_a', 'talk/one.txt', 'ob_b', 'x');
SELECT audiostore.copy_object('ob_a', 'talk/one.txt', 'ob_a', 'talk/copy.txt') > 0 AS queued;
CALL ob_drain();
UPDATE ob_clips SET status = 'gone';
CALL ob_drain();
SELECT key FROM audiostore.list_objects('ob_a');
DROP TABLE ob_clips;

-- What cannot be done says so.
SELECT audiostore.put_object('ob_a', NULL, 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.put_object('ob_a', 'k', NULL);
SELECT audiostore.get_object('ob_a', NULL);
SELECT audiostore.signed_url('ob_a', NULL);
SELECT audiostore.copy_object('ob_a', 'k', 'ob_a', NULL);
SELECT audiostore.set_storage_class('ob_a', 'k', NULL);
SELECT audiostore.put_object('ob_a', '', 'x');
SELECT audiostore.put_object('ob_a', '../k', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.put_object('ob_a', '/etc/passwd', 'x');
SELECT audiostore.put_object('ob_a', repeat('k', 300), 'x');
SELECT audiostore.put_object('ob_a', repeat('k/', 2048) || 'k', 'x');
SELECT audiostore.put_object('ob_a', 'k', 'x', 'audio');
SELECT audiostore.put_object('ob_a', 'k', 'x', E'audio/mpeg\nX-Evil: 1');
SELECT audiostore.put_object('ob_a', 'k', 'x', NULL, '[1]');
SELECT audiostore.put_object('ob_a', 'k', 'x', NULL, '{"a": {"b": 1}}');
SELECT audiostore.put_object('ob_a', 'k', 'x', NULL, '{"a b": "1"}');
SELECT audiostore.put_object('ob_a', 'k', 'x', NULL, '{"a": "1\n2"}');
SELECT audiostore.put_object('ob_a', 'k', 'x', NULL, jsonb_build_object('a', repeat('x', 2048)));
SELECT audiostore.set_storage_class('ob_a', 'k', 'not a class');

-- Signed URLs are computed from their arguments alone.
ALTER SERVER ob_a OPTIONS (ADD public_url 'https://cdn.example.org/');
SELECT audiostore.signed_url('ob_a', 'talk/zwei ä+%.txt', query => '{"v": 1, "as": "a b"}');
SELECT audiostore.signed_url('ob_a', 'k', 'PATCH');
SELECT audiostore.signed_url('ob_a', 'k', 'PUT');
SELECT audiostore.signed_url('ob_a', 'k', expires_in => '0 s');
SELECT audiostore.signed_url('ob_a', 'k', expires_in => '8 days');
SELECT audiostore.signed_url('ob_a', 'k', at => 'infinity');
CREATE SERVER ob_s3 FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 's3', bucket 'examplebucket', region 'us-east-1');
CREATE USER MAPPING FOR PUBLIC SERVER ob_s3
    OPTIONS (access_key_id 'AKIAIOSFODNN7EXAMPLE', secret_access_key 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY');
-- Amazon's own example: Signature Version 4, query parameters.
SELECT audiostore.signed_url('ob_s3', 'test.txt', expires_in => '1 day', at => '2013-05-24 00:00:00+00') LIKE
    '%X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400%' AS as_documented;
SELECT count(DISTINCT audiostore.signed_url('ob_s3', 'k' || i)) FROM generate_series(1, 1000) i;
SELECT audiostore.signed_url('ob_s3', 'k', at => now()) = audiostore.signed_url('ob_s3', 'k') AS at_is_now;

-- A caller who changes within a statement gets his own rights.
CREATE ROLE ob_reader;
CREATE FUNCTION ob_url_as(role name) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('role', role, true);
    RETURN audiostore.signed_url('ob_a', 'k');
END
$$;
SELECT ob_url_as(r) FROM unnest(ARRAY[current_user, 'ob_reader']) r;

SELECT "check", ok, detail FROM audiostore.verify_store('ob_b');
SELECT key FROM audiostore.list_objects('ob_b', '.audiostore-verify/');

DROP PROCEDURE ob_drain;
DROP FUNCTION ob_url_as;
DROP ROLE ob_reader;
DROP SERVER ob_s3 CASCADE;
DROP SERVER ob_a;
DROP SERVER ob_b;
