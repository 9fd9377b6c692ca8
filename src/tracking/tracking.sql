-- Which columns of which tables hold keys of objects, and what keeps the outbox in step with them.
CREATE TABLE audiostore.tracked_columns (
    relation regclass NOT NULL,
    key_column name NOT NULL,
    store text COLLATE "C",
    store_column name,
    size_column name,
    live_when text NOT NULL DEFAULT 'true',
    tracked_at timestamptz NOT NULL DEFAULT now(),
    checksum_column name,
    PRIMARY KEY (relation, key_column),
    CHECK ((store IS NULL) <> (store_column IS NULL))
);
COMMENT ON TABLE audiostore.tracked_columns IS
    'Columns whose values are keys of objects: written by track() and untrack(), and by DDL on the tables; partitions and inheritance children are tracked through their parent';
COMMENT ON COLUMN audiostore.tracked_columns.relation IS 'the table';
COMMENT ON COLUMN audiostore.tracked_columns.key_column IS 'its column with the keys, relative to the prefix of the store';
COMMENT ON COLUMN audiostore.tracked_columns.store IS 'foreign server that names the store of all keys; NULL when store_column is given';
COMMENT ON COLUMN audiostore.tracked_columns.store_column IS 'column that names the store of each row; NULL when store is given';
COMMENT ON COLUMN audiostore.tracked_columns.size_column IS 'column with the size of the object in bytes, if there is one';
COMMENT ON COLUMN audiostore.tracked_columns.live_when IS
    'expression over the row: while it is true, the row owns its object; false or NULL: it does not';
COMMENT ON COLUMN audiostore.tracked_columns.tracked_at IS 'start of the transaction that tracked the column';
COMMENT ON COLUMN audiostore.tracked_columns.checksum_column IS 'column with the SHA-256 of the object, if there is one: audits can compare';
GRANT SELECT ON audiostore.tracked_columns TO PUBLIC;
-- The extension's own tables are tracked when it is created.
SELECT pg_catalog.pg_extension_config_dump('audiostore.tracked_columns',
    $$WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend
        WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND objid = relation AND deptype = 'e')$$);

CREATE FUNCTION audiostore.tracked_columns_changed() RETURNS trigger
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_tracked_columns_changed';
COMMENT ON FUNCTION audiostore.tracked_columns_changed() IS
    'Trigger function: makes every session read audiostore.tracked_columns again';
CREATE TRIGGER tracked_columns_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON audiostore.tracked_columns
    FOR EACH STATEMENT EXECUTE FUNCTION audiostore.tracked_columns_changed();
COMMENT ON TRIGGER tracked_columns_changed ON audiostore.tracked_columns IS
    'Changes that do not come from track() and untrack(), such as a restored dump, take effect as well';

CREATE FUNCTION audiostore.track(relation regclass, key_column name, store name DEFAULT NULL,
        store_column name DEFAULT NULL, size_column name DEFAULT NULL, live_when text DEFAULT 'true',
        checksum_column name DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_track';
COMMENT ON FUNCTION audiostore.track(regclass, name, name, name, name, text, name) IS
    'From now on the rows of this table own the objects whose keys are in key_column (text or character varying): in the store named, or in the one that the row names in store_column; one of the two is given. '
    'When the last live row that holds a key goes (DELETE, UPDATE, cascade, TRUNCATE, DROP TABLE, dropped partition or column), a delete of the object is queued in the same transaction; a row that comes to hold a key takes a pending delete back, or fails with SQLSTATE 55006 when it is under way. '
    'NULL and empty keys own nothing, nor do rows for which live_when (one boolean expression over the row, immutable) is not true. size_column names the column with the size of the object in bytes, checksum_column the one with its SHA-256 (text in hexadecimal, or bytea), which audits compare. '
    'The table is locked against writes while its triggers are made and, if there is none, an index on key_column. Partitions and inheritance children, present and future, are included; a detached partition stays tracked by itself. '
    'Rows written with session_replication_role = replica, by logical replication, or with the triggers disabled are not noticed. '
    'Needs ownership of the table and USAGE on the store. Errors: 22023 (arguments), 42501 (privileges), 42703, 42704 (no such column, store), 42710 (tracked already), 42804 (type of a column), 42809 (not a table), 55006 (a row holds a key whose delete is under way)';

CREATE FUNCTION audiostore.untrack(relation regclass, key_column name) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_untrack';
COMMENT ON FUNCTION audiostore.untrack(regclass, name) IS
    'The rows of this table do not own the objects of this column any more: nothing is deleted when they go, and they do not keep others from deleting. Objects and pending deletes stay as they are. Needs ownership of the table. Errors: 42501, 42704 (not tracked, or tracked through its parent)';

-- Fired by the triggers that track() creates. They do nothing on tables that are not tracked.
CREATE FUNCTION audiostore.rows_inserted() RETURNS trigger
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_rows_inserted';
COMMENT ON FUNCTION audiostore.rows_inserted() IS
    'Trigger function of tracked tables: takes back pending deletes of the keys that new rows hold';
CREATE FUNCTION audiostore.rows_updated() RETURNS trigger
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_rows_updated';
COMMENT ON FUNCTION audiostore.rows_updated() IS
    'Trigger function of tracked tables: takes back pending deletes of keys that rows came to hold, queues deletes of those that nobody holds any more';
CREATE FUNCTION audiostore.rows_deleted() RETURNS trigger
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_rows_deleted';
COMMENT ON FUNCTION audiostore.rows_deleted() IS
    'Trigger function of tracked tables: queues deletes of the keys that nobody holds any more';
CREATE FUNCTION audiostore.table_truncated() RETURNS trigger
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_table_truncated';
COMMENT ON FUNCTION audiostore.table_truncated() IS
    'Trigger function of tracked tables: queues deletes of the keys in a table that is about to be emptied';

CREATE FUNCTION audiostore.ddl_started() RETURNS event_trigger
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_ddl_started';
COMMENT ON FUNCTION audiostore.ddl_started() IS
    'Event trigger function: loads the library, which then sees what a command drops';
CREATE FUNCTION audiostore.ddl_ended() RETURNS event_trigger
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_ddl_ended';
COMMENT ON FUNCTION audiostore.ddl_ended() IS
    'Event trigger function: follows what a command did to tracked tables: new and detached partitions, renamed columns; fails with SQLSTATE 2BP01 when something is gone that tracking needs';
REVOKE ALL ON FUNCTION audiostore.ddl_started(), audiostore.ddl_ended(), audiostore.tracked_columns_changed() FROM PUBLIC;

CREATE EVENT TRIGGER audiostore_ddl_started ON ddl_command_start EXECUTE FUNCTION audiostore.ddl_started();
ALTER EVENT TRIGGER audiostore_ddl_started ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER audiostore_ddl_started IS 'Objects of tracked tables that are dropped are deleted from their stores';
CREATE EVENT TRIGGER audiostore_ddl_ended ON ddl_command_end EXECUTE FUNCTION audiostore.ddl_ended();
ALTER EVENT TRIGGER audiostore_ddl_ended ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER audiostore_ddl_ended IS 'Tracking follows partitions and renamed columns';
