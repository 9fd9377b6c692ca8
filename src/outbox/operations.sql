-- The outbox: side effects on stores that committed transactions asked for and that are not done yet.
CREATE TABLE audiostore.operations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
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
ALTER TABLE audiostore.operations ALTER COLUMN payload SET STORAGE EXTERNAL;

-- Which operations are due. Its columns do not change while an operation is claimed and settled, so claims are
-- heap-only updates (hence the fill factor). A dead operation waits until infinity. No two entries are the same, so
-- there is nothing to deduplicate.
CREATE INDEX operations_due ON audiostore.operations (store, not_before, id) WITH (deduplicate_items = off);
CREATE UNIQUE INDEX operations_delete ON audiostore.operations (key, store) WHERE kind = 'delete';
CREATE INDEX operations_other ON audiostore.operations (key, store) WHERE kind <> 'delete';
CREATE INDEX operations_target ON audiostore.operations (target, target_store) WHERE target_store IS NOT NULL;

COMMENT ON TABLE audiostore.operations IS
    'Outbox: one row for each side effect on a store that is queued, under way or dead; a row goes when its operation is done';
COMMENT ON COLUMN audiostore.operations.id IS 'operations on one key take effect in the order of their ids';
COMMENT ON COLUMN audiostore.operations.enqueued_at IS 'when the statement that asked for it ran';
COMMENT ON COLUMN audiostore.operations.not_before IS
    'earliest time of the next attempt: end of the grace period or of the backoff; infinity when dead';
COMMENT ON COLUMN audiostore.operations.leased_until IS
    'while running: until then nobody else takes it over; later, its claimant counts as lost';
COMMENT ON COLUMN audiostore.operations.attempts IS 'attempts so far, counted when one starts';
COMMENT ON COLUMN audiostore.operations.claimed_by IS 'while running: process id of the claimant';
COMMENT ON COLUMN audiostore.operations.in_doubt IS
    'an attempt was sent and its outcome is not known: the object may be gone already, so a delete in doubt cannot be taken back';
COMMENT ON COLUMN audiostore.operations.kind IS 'put, delete, copy, move or set_class';
COMMENT ON COLUMN audiostore.operations.state IS 'pending, running or dead (given up, see last_error; retry_operation() revives it)';
COMMENT ON COLUMN audiostore.operations.store IS 'foreign server that names the store';
COMMENT ON COLUMN audiostore.operations.key IS 'key of the object, relative to the prefix of the store';
COMMENT ON COLUMN audiostore.operations.target_store IS 'copy, move: store of the new object';
COMMENT ON COLUMN audiostore.operations.target IS 'copy, move: key of the new object; set_class: the storage class';
COMMENT ON COLUMN audiostore.operations.reason IS 'what asked for it, e.g. row deleted';
COMMENT ON COLUMN audiostore.operations.last_error IS 'why the last attempt failed';
COMMENT ON COLUMN audiostore.operations.options IS 'put: content_type, metadata, storage_class';
COMMENT ON COLUMN audiostore.operations.payload IS 'put: the object''s bytes, dropped with the row when the put is done';
COMMENT ON INDEX audiostore.operations_due IS 'operations of a store in the order in which they are due';
COMMENT ON INDEX audiostore.operations_delete IS 'at most one pending delete for each store and key';
COMMENT ON INDEX audiostore.operations_other IS 'order of operations on one key';
COMMENT ON INDEX audiostore.operations_target IS 'order of operations on the key that a copy or move writes';

CREATE VIEW audiostore.pending_operations AS
    SELECT id, kind, state, store, key, target_store, target, reason, enqueued_at, not_before, attempts,
           leased_until, in_doubt, last_error, octet_length(payload) AS payload_bytes
    FROM audiostore.operations
    WHERE state <> 'dead';
COMMENT ON VIEW audiostore.pending_operations IS 'operations that are queued or under way, without their payload';

CREATE VIEW audiostore.dead_operations AS
    SELECT id, kind, state, store, key, target_store, target, reason, enqueued_at, attempts, in_doubt, last_error,
           octet_length(payload) AS payload_bytes
    FROM audiostore.operations
    WHERE state = 'dead';
COMMENT ON VIEW audiostore.dead_operations IS
    'operations that were given up; see last_error, then retry_operation(id) or cancel_operation(id)';

REVOKE ALL ON audiostore.operations, audiostore.pending_operations, audiostore.dead_operations FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audiostore.operations', '');
SELECT pg_catalog.pg_extension_config_dump('audiostore.operations_id_seq', '');
