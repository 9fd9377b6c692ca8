-- Stores are foreign servers of the wrapper audiostore; their credentials are user mappings.
DO $$
DECLARE
    schema_owner pg_catalog.name;
BEGIN
    -- Keys travel to stores as UTF-8, and a column in another encoding could not hold every key.
    IF pg_catalog.getdatabaseencoding() <> 'UTF8' THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = 'audiostore needs a database with the encoding UTF8',
            DETAIL = pg_catalog.format('The encoding of this database is %s.', pg_catalog.getdatabaseencoding()),
            HINT = 'Create one with CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
    -- Whoever owns the schema can put objects of his own beside ours.
    SELECT pg_catalog.pg_get_userbyid(nspowner) INTO schema_owner
    FROM pg_catalog.pg_namespace WHERE nspname = 'audiostore';
    IF schema_owner <> current_user THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_schema',
            MESSAGE = 'schema "audiostore" exists already and belongs to another role',
            DETAIL = pg_catalog.format('Its owner is %s.', schema_owner),
            HINT = 'Drop or rename that schema, and let CREATE EXTENSION make it.';
    END IF;
END
$$;

COMMENT ON SCHEMA audiostore IS 'Audio objects in object stores that follow the rows of tables; see docs/ of the extension';
GRANT USAGE ON SCHEMA audiostore TO PUBLIC;

CREATE FUNCTION audiostore.fdw_handler() RETURNS fdw_handler
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'audiostore_fdw_handler';
COMMENT ON FUNCTION audiostore.fdw_handler() IS
    'Handler of the foreign-data wrapper audiostore: foreign tables that list a store';

CREATE FUNCTION audiostore.fdw_validator(options text[], catalog oid) RETURNS void
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'audiostore_fdw_validator';
COMMENT ON FUNCTION audiostore.fdw_validator(text[], oid) IS
    'Checks the options of stores (servers), credentials (user mappings) and foreign tables; '
    'names a bad option and, in the HINT, the valid ones';

CREATE FOREIGN DATA WRAPPER audiostore HANDLER audiostore.fdw_handler VALIDATOR audiostore.fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER audiostore IS
    'Object stores: CREATE SERVER name FOREIGN DATA WRAPPER audiostore OPTIONS (provider ''local'' | ''s3'', ...)';

CREATE TABLE audiostore.store_claims (
    store text COLLATE "C" PRIMARY KEY,
    system_identifier bigint NOT NULL,
    database_oid oid NOT NULL,
    database_name text NOT NULL,
    claimed_at timestamptz NOT NULL,
    claimed_by text NOT NULL
);
COMMENT ON TABLE audiostore.store_claims IS
    'Which cluster and database looks after a store: written at the first use, and part of a dump. In a database that is '
    'restored or cloned elsewhere these rows name another one, and nothing destructive runs there until '
    'audiostore.claim_store() is called';
COMMENT ON COLUMN audiostore.store_claims.store IS 'foreign server that names the store';
COMMENT ON COLUMN audiostore.store_claims.system_identifier IS 'of the cluster, as in pg_control_system()';
COMMENT ON COLUMN audiostore.store_claims.database_oid IS 'oid of the database in that cluster';
COMMENT ON COLUMN audiostore.store_claims.database_name IS 'name of that database when it claimed the store';
COMMENT ON COLUMN audiostore.store_claims.claimed_at IS 'when';
COMMENT ON COLUMN audiostore.store_claims.claimed_by IS 'role that claimed it, or whose statement was its first use';
SELECT pg_catalog.pg_extension_config_dump('audiostore.store_claims', '');

CREATE FUNCTION audiostore.claim_store(store name) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_claim_store';
COMMENT ON FUNCTION audiostore.claim_store(name) IS
    'Makes this database the one that looks after the store (NULL: the default store), after a restore, a clone or '
    'pg_upgrade. Only the owner of the foreign server may. See to it that no other database deletes in the same store';
