-- The outbox: side effects on stores that committed transactions asked for and that are not done yet. What is queued one
-- by one is a row here; the deletes of a large statement are packs (packs.sql). The view operations shows both.
CREATE TABLE audiostore.operation_rows (
    id bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME audiostore.operations_id_seq) CONSTRAINT operations_pkey PRIMARY KEY,
    enqueued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    not_before timestamptz NOT NULL DEFAULT clock_timestamp(),
    leased_until timestamptz,
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    claimed_by integer,
    in_doubt boolean NOT NULL DEFAULT false,
    kind text NOT NULL CHECK (kind IN ('put', 'delete', 'copy', 'move', 'set_class')),
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'dead')),
    store text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    target_store text COLLATE "C",
    target text COLLATE "C",
    reason text,
    last_error text,
    options jsonb,
    payload bytea
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000);
ALTER TABLE audiostore.operation_rows ALTER COLUMN payload SET STORAGE EXTERNAL;

-- Which operations are due. Its columns do not change while an operation is claimed and settled, so claims are
-- heap-only updates (hence the fill factor). A dead operation waits until infinity. No two entries are the same, so
-- there is nothing to deduplicate.
CREATE INDEX operations_due ON audiostore.operation_rows (store, not_before, id) WITH (deduplicate_items = off);
CREATE UNIQUE INDEX operations_delete ON audiostore.operation_rows (key, store) WHERE kind = 'delete';
CREATE INDEX operations_other ON audiostore.operation_rows (key, store) WHERE kind <> 'delete';
CREATE INDEX operations_target ON audiostore.operation_rows (target, target_store) WHERE target_store IS NOT NULL;

COMMENT ON TABLE audiostore.operation_rows IS
    'The part of the outbox that is rows: everything but the deletes of large statements, which are in operation_packs. The view operations shows both';
COMMENT ON COLUMN audiostore.operation_rows.id IS 'operations on one key take effect in the order of their ids';
COMMENT ON COLUMN audiostore.operation_rows.enqueued_at IS 'when the statement that asked for it ran';
COMMENT ON COLUMN audiostore.operation_rows.not_before IS
    'earliest time of the next attempt: end of the grace period or of the backoff; infinity when dead';
COMMENT ON COLUMN audiostore.operation_rows.leased_until IS
    'while running: until then nobody else takes it over; later, its claimant counts as lost';
COMMENT ON COLUMN audiostore.operation_rows.attempts IS 'attempts so far, counted when one starts';
COMMENT ON COLUMN audiostore.operation_rows.claimed_by IS 'while running: process id of the claimant';
COMMENT ON COLUMN audiostore.operation_rows.in_doubt IS
    'an attempt was sent and its outcome is not known: the object may be gone already, so a delete in doubt cannot be taken back';
COMMENT ON COLUMN audiostore.operation_rows.kind IS 'put, delete, copy, move or set_class';
COMMENT ON COLUMN audiostore.operation_rows.state IS 'pending, running or dead (given up, see last_error; retry_operation() revives it)';
COMMENT ON COLUMN audiostore.operation_rows.store IS 'foreign server that names the store';
COMMENT ON COLUMN audiostore.operation_rows.key IS 'key of the object, relative to the prefix of the store';
COMMENT ON COLUMN audiostore.operation_rows.target_store IS 'copy, move: store of the new object';
COMMENT ON COLUMN audiostore.operation_rows.target IS 'copy, move: key of the new object; set_class: the storage class';
COMMENT ON COLUMN audiostore.operation_rows.reason IS 'what asked for it, e.g. row deleted';
COMMENT ON COLUMN audiostore.operation_rows.last_error IS 'why the last attempt failed';
COMMENT ON COLUMN audiostore.operation_rows.options IS 'put: content_type, metadata, storage_class; parts and size where the object is made of others of its store; receipt: true where operation_receipts shall say that it is done';
COMMENT ON COLUMN audiostore.operation_rows.payload IS 'put: the object''s bytes, dropped with the row when the put is done';
COMMENT ON INDEX audiostore.operations_due IS 'operations of a store in the order in which they are due';
COMMENT ON INDEX audiostore.operations_delete IS 'at most one pending delete for each store and key';
COMMENT ON INDEX audiostore.operations_other IS 'order of operations on one key';
COMMENT ON INDEX audiostore.operations_target IS 'order of operations on the key that a copy or move writes';

-- Our own code writes rows without triggers, and notes them itself.
CREATE FUNCTION audiostore.note_operation() RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'audiostore_note_operation';
COMMENT ON FUNCTION audiostore.note_operation() IS
    'Trigger of the outbox''s tables: notes in shared memory what SQL queues, so that statements which need the key again look for it';
REVOKE ALL ON FUNCTION audiostore.note_operation() FROM PUBLIC;
CREATE TRIGGER note AFTER INSERT OR UPDATE OF kind, store, key ON audiostore.operation_rows
    FOR EACH ROW WHEN (new.kind = 'delete') EXECUTE FUNCTION audiostore.note_operation();
ALTER TABLE audiostore.operation_rows ENABLE ALWAYS TRIGGER note;
COMMENT ON TRIGGER note ON audiostore.operation_rows IS 'notes deletes that SQL queues';

REVOKE ALL ON audiostore.operation_rows FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audiostore.operation_rows', '');
SELECT pg_catalog.pg_extension_config_dump('audiostore.operations_id_seq', '');
