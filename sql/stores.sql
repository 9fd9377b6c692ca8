-- Stores: options of servers and user mappings, privileges, claims, settings.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
SELECT current_setting('data_directory') || '/regress-stores' AS root,
       'cat >/dev/null; mkdir -p "' || current_setting('data_directory') || '/regress-stores"' AS make_root \gset
COPY (SELECT 1) TO PROGRAM :'make_root';

CREATE SERVER st_media FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root', delete_grace '1 hour');
ALTER SERVER st_media OPTIONS (SET delete_grace '2 days', ADD max_connections '4', ADD request_timeout '5s');

-- Bad options name themselves, and the hint names the good ones.
CREATE SERVER st_bad FOREIGN DATA WRAPPER audiostore;
CREATE SERVER st_bad FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'tape');
CREATE SERVER st_bad FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', rot '/tmp');
\echo :LAST_ERROR_SQLSTATE
CREATE SERVER st_bad FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root 'relative');
CREATE SERVER st_bad FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local');
ALTER SERVER st_media OPTIONS (SET delete_grace '-1 day');
ALTER SERVER st_media OPTIONS (SET delete_grace 'soon');
\echo :LAST_ERROR_SQLSTATE
ALTER SERVER st_media OPTIONS (SET request_timeout '0s');
ALTER SERVER st_media OPTIONS (SET max_connections '0');
ALTER SERVER st_media OPTIONS (ADD max_attempts 'many');
ALTER SERVER st_media OPTIONS (ADD bucket 'b');
ALTER SERVER st_media OPTIONS (DROP root);
CREATE SERVER st_bad FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 's3', bucket 'audio-assets', region 'eu-west-1', secret_access_key 'hush');
ALTER FOREIGN DATA WRAPPER audiostore OPTIONS (provider 's3');

-- User mappings do not know their provider; the store does when it is opened.
CREATE USER MAPPING FOR PUBLIC SERVER st_media OPTIONS (access_key_id 'AKIA', secret_access_key 'hush');
SELECT * FROM audiostore.head_object('st_media', 'k');
DROP USER MAPPING FOR PUBLIC SERVER st_media;
CREATE USER MAPPING FOR PUBLIC SERVER st_media OPTIONS (password 'hush');
CREATE USER MAPPING FOR PUBLIC SERVER st_media OPTIONS (credentials 'hush');
CREATE USER MAPPING FOR PUBLIC SERVER st_media;
SELECT size FROM audiostore.head_object('st_media', 'k');

-- Names that are no stores.
\set VERBOSITY terse
SELECT * FROM audiostore.head_object('st_nowhere', 'k');
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
DO $$
DECLARE
    hint text;
BEGIN
    PERFORM audiostore.head_object('st_nowhere', 'k');
EXCEPTION WHEN undefined_object THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RAISE NOTICE 'the hint names the stores there are: %', hint ~ '^Stores are: .*st_media';
END
$$;
CREATE FOREIGN DATA WRAPPER st_other;
CREATE SERVER st_other FOREIGN DATA WRAPPER st_other;
SELECT * FROM audiostore.head_object('st_other', 'k');
\echo :LAST_ERROR_SQLSTATE
DROP FOREIGN DATA WRAPPER st_other CASCADE;

-- The default store.
SELECT * FROM audiostore.head_object(NULL, 'k');
SET audiostore.default_store = 'st_media';
SELECT size FROM audiostore.head_object(NULL, 'k');
RESET audiostore.default_store;
SET audiostore.default_store = 'a name that is longer than the sixty-three bytes that a name can have';
SET audiostore.no_such_setting = 1;
SELECT name, unit, min_val, max_val, context FROM pg_settings WHERE name IN
    ('audiostore.enabled', 'audiostore.databases', 'audiostore.default_store', 'audiostore.max_connections',
     'audiostore.run_history') ORDER BY name;

-- Changes take effect at once.
SELECT audiostore.signed_url('st_media', 'a/b c.mp3');
ALTER SERVER st_media OPTIONS (ADD public_url 'https://cdn.example.org/media');
SELECT audiostore.signed_url('st_media', 'a/b c.mp3');
SELECT audiostore.signed_url('st_media', k) FROM unnest(ARRAY['x', 'y/z']) k;

-- Privileges.
CREATE ROLE st_reader;
CREATE ROLE st_owner;
GRANT USAGE ON FOREIGN DATA WRAPPER audiostore TO st_owner;
SET ROLE st_reader;
SELECT audiostore.signed_url('st_media', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM audiostore.verify_store('st_media');
SELECT audiostore.claim_store('st_media');
SELECT count(*) FROM audiostore.store_claims;
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER st_media TO st_reader;
SET ROLE st_reader;
SELECT audiostore.signed_url('st_media', 'x');
SELECT "check", ok, detail FROM audiostore.verify_store('st_media') WHERE "check" <> 'signed url';
SELECT audiostore.claim_store('st_media');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
-- Only who may use the server's files and identity anyway may lend them to a store.
SET ROLE st_owner;
CREATE SERVER st_mine FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root '/etc');
CREATE SERVER st_mine FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 's3', bucket 'audio-assets', region 'eu-west-1', ca_file '/etc/passwd');
CREATE SERVER st_mine FOREIGN DATA WRAPPER audiostore OPTIONS (provider 's3', bucket 'audio-assets', region 'eu-west-1');
CREATE USER MAPPING FOR st_owner SERVER st_mine OPTIONS (credentials 'instance');
CREATE USER MAPPING FOR st_owner SERVER st_mine OPTIONS (access_key_id 'AKIA', secret_access_key 'hush');
RESET ROLE;
GRANT pg_read_server_files TO st_owner;
SET ROLE st_owner;
CREATE SERVER st_local FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root '/etc');
ALTER USER MAPPING FOR st_owner SERVER st_mine
    OPTIONS (DROP access_key_id, DROP secret_access_key, ADD credentials 'instance');
RESET ROLE;
GRANT pg_write_server_files TO st_owner;
SET ROLE st_owner;
CREATE SERVER st_local FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root');
RESET ROLE;
DROP SERVER st_local;
DROP SERVER st_mine CASCADE;

-- Claims: the first use claims a store; a clone finds a stranger's name.
SELECT count(*) FROM audiostore.store_claims WHERE store = 'st_media';
BEGIN;
SELECT audiostore.put_object('st_media', 'k', 'x') > 0 AS queued;
SELECT store, database_oid = (SELECT oid FROM pg_database WHERE datname = current_database()) AS here,
       system_identifier = (SELECT system_identifier FROM pg_control_system()) AS this_cluster,
       database_name = current_database() AS named
FROM audiostore.store_claims WHERE store = 'st_media';
UPDATE audiostore.store_claims SET database_oid = 0, system_identifier = 1, database_name = 'production'
WHERE store = 'st_media';
SELECT audiostore.put_object('st_media', 'k2', 'x') > 0 AS queued;
SELECT database_name FROM audiostore.store_claims WHERE store = 'st_media';
SELECT audiostore.claim_store('st_media');
SELECT database_oid = (SELECT oid FROM pg_database WHERE datname = current_database()) AS here
FROM audiostore.store_claims WHERE store = 'st_media';
ROLLBACK;

DROP USER MAPPING FOR PUBLIC SERVER st_media;
DROP SERVER st_media;
DROP OWNED BY st_owner, st_reader;
DROP ROLE st_owner, st_reader;
