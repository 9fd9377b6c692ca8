-- Tenants, and the default values and triggers that the seeds' tables share.
CREATE TABLE audiostore.workspaces (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE audiostore.workspaces IS 'Tenants: uploads belong to a workspace, and quotas are set for one';
COMMENT ON COLUMN audiostore.workspaces.name IS 'what people call it; need not be unique';
SELECT pg_catalog.pg_extension_config_dump('audiostore.workspaces', '');

CREATE FUNCTION audiostore.default_store() RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'audiostore_default_store';
COMMENT ON FUNCTION audiostore.default_store() IS
    'The setting audiostore.default_store, NULL when it is empty: the default of every column named store';

CREATE FUNCTION audiostore.fill_storage_provider() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'audiostore_fill_storage_provider';
REVOKE ALL ON FUNCTION audiostore.fill_storage_provider() FROM PUBLIC;
COMMENT ON FUNCTION audiostore.fill_storage_provider() IS
    'Row trigger: sets storage_provider to the provider of the foreign server that the column store names, '
    'NULL when there is no such server';
