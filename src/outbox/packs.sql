-- Deletes of large statements: hundreds of neighbouring keys in one row, front-coded in byte order. The first key has the
-- id of the pack, the next one the next id, and so on, so that every delete has an id of its own.
--
-- Everything that a pack says holds for all of its keys. Where that ends, because some are to be tried again and others
-- are done, the worker splits it into runs of keys, which keep their ids. Statements that take back single keys leave
-- the pack alone, so that they do not wait for each other: they write the ids down in operation_holes.
CREATE TABLE audiostore.operation_packs (
    id bigint CONSTRAINT operation_packs_pkey PRIMARY KEY,
    enqueued_at timestamptz NOT NULL,
    not_before timestamptz NOT NULL,
    leased_until timestamptz,
    statement bigint NOT NULL,
    attempts integer NOT NULL CHECK (attempts >= 0),
    claimed_by integer,
    key_count integer NOT NULL CHECK (key_count > 0),
    in_doubt boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'running', 'dead')),
    store text COLLATE "C" NOT NULL,
    range_end text COLLATE "C" NOT NULL,
    reason text,
    last_error text,
    keys bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
-- A pack fills a page: nothing of it goes elsewhere, and nothing is spent on trying.
ALTER TABLE audiostore.operation_packs ALTER COLUMN state SET STORAGE PLAIN, ALTER COLUMN store SET STORAGE PLAIN,
    ALTER COLUMN range_end SET STORAGE PLAIN, ALTER COLUMN reason SET STORAGE PLAIN, ALTER COLUMN keys SET STORAGE PLAIN;

CREATE INDEX operation_packs_due ON audiostore.operation_packs (store, not_before, id);
CREATE INDEX operation_packs_keys ON audiostore.operation_packs (store, statement, range_end);

COMMENT ON TABLE audiostore.operation_packs IS
    'The part of the outbox that is packs: deletes queued by large statements, hundreds of keys in one row. Look at the view operations instead, which shows them one by one';
COMMENT ON COLUMN audiostore.operation_packs.id IS 'id of the delete of the first key; the others follow';
COMMENT ON COLUMN audiostore.operation_packs.enqueued_at IS 'when the statement that asked for it ran';
COMMENT ON COLUMN audiostore.operation_packs.not_before IS
    'earliest time of the next attempt: end of the grace period or of the backoff; infinity when dead';
COMMENT ON COLUMN audiostore.operation_packs.leased_until IS
    'while running: until then nobody else takes it over; later, its claimant counts as lost';
COMMENT ON COLUMN audiostore.operation_packs.statement IS
    'the same for all packs of one statement; their ranges of keys do not overlap';
COMMENT ON COLUMN audiostore.operation_packs.attempts IS 'attempts so far, counted when one starts';
COMMENT ON COLUMN audiostore.operation_packs.claimed_by IS 'while running: process id of the claimant';
COMMENT ON COLUMN audiostore.operation_packs.key_count IS 'number of keys';
COMMENT ON COLUMN audiostore.operation_packs.in_doubt IS
    'an attempt was sent and its outcome is not known: the objects may be gone already, so these deletes cannot be taken back';
COMMENT ON COLUMN audiostore.operation_packs.state IS 'pending, running or dead';
COMMENT ON COLUMN audiostore.operation_packs.store IS 'foreign server that names the store';
COMMENT ON COLUMN audiostore.operation_packs.range_end IS
    'last key of the pack that the statement wrote; stays when that pack is split, so that its parts are found by it';
COMMENT ON COLUMN audiostore.operation_packs.reason IS 'what asked for it';
COMMENT ON COLUMN audiostore.operation_packs.last_error IS 'why the last attempt failed';
COMMENT ON COLUMN audiostore.operation_packs.keys IS 'the keys; unpack_keys() reads them';
COMMENT ON INDEX audiostore.operation_packs_due IS 'packs of a store in the order in which they are due';
COMMENT ON INDEX audiostore.operation_packs_keys IS 'in which packs a key may be: of each statement, the one whose range it falls into';

CREATE TRIGGER note AFTER INSERT ON audiostore.operation_packs
    FOR EACH STATEMENT EXECUTE FUNCTION audiostore.note_operation();
ALTER TABLE audiostore.operation_packs ENABLE ALWAYS TRIGGER note;
COMMENT ON TRIGGER note ON audiostore.operation_packs IS 'notes that there are packs, when SQL writes some';

-- Not unique: two transactions that take back the same key do not wait for each other.
CREATE TABLE audiostore.operation_holes (
    id bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX operation_holes_id ON audiostore.operation_holes (id);
COMMENT ON TABLE audiostore.operation_holes IS
    'Deletes in operation_packs that were taken back, cancelled, or became rows of their own; goes with its pack';
COMMENT ON COLUMN audiostore.operation_holes.id IS 'id of the delete';
COMMENT ON INDEX audiostore.operation_holes_id IS 'holes of a pack';

CREATE FUNCTION audiostore.unpack_keys(first_id bigint, keys bytea) RETURNS TABLE (id bigint, key text)
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 200 AS 'MODULE_PATHNAME', 'audiostore_unpack_keys';
COMMENT ON FUNCTION audiostore.unpack_keys(bigint, bytea) IS
    'Ids and keys of a pack of operation_packs. Errors: XX001 for bytes that are no pack';

CREATE FUNCTION audiostore.packed_before(store name, key text, id bigint) RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_packed_before';
COMMENT ON FUNCTION audiostore.packed_before(name, text, bigint) IS
    'Whether operation_packs has a delete of this key with a lower id that is not dead. For the outbox itself';
REVOKE ALL ON FUNCTION audiostore.packed_before(name, text, bigint) FROM PUBLIC;

-- Seen from outside, one delete is pending for each key: where two transactions that did not see each other queued one
-- each, that is the row.
CREATE VIEW audiostore.operations AS
    SELECT id, enqueued_at, not_before, leased_until, attempts, claimed_by, in_doubt, kind, state, store, key,
           target_store, target, reason, last_error, options, payload
    FROM audiostore.operation_rows
    UNION ALL
    SELECT k.id, p.enqueued_at, p.not_before, p.leased_until, p.attempts, p.claimed_by, p.in_doubt, 'delete', p.state,
           p.store, k.key COLLATE "C", NULL, NULL, p.reason, p.last_error, NULL, NULL
    FROM audiostore.operation_packs p, audiostore.unpack_keys(p.id, p.keys) k
    WHERE NOT EXISTS (SELECT FROM audiostore.operation_holes h WHERE h.id = k.id)
      AND NOT EXISTS (SELECT FROM audiostore.operation_rows r
                      WHERE r.key = k.key COLLATE "C" AND r.store = p.store AND r.kind = 'delete');

COMMENT ON VIEW audiostore.operations IS
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
COMMENT ON COLUMN audiostore.operations.options IS 'put: content_type, metadata, storage_class; parts and size where the object is made of others of its store; receipt: true where operation_receipts shall say that it is done';
COMMENT ON COLUMN audiostore.operations.payload IS 'put: the object''s bytes, dropped with the row when the put is done';

CREATE FUNCTION audiostore.cut_packed_operation(operation bigint) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    pack audiostore.operation_packs;
BEGIN
    SELECT * INTO pack FROM audiostore.operation_packs p WHERE p.id <= operation ORDER BY p.id DESC LIMIT 1 FOR UPDATE;
    IF NOT FOUND OR operation >= pack.id + pack.key_count
       OR EXISTS (SELECT FROM audiostore.operation_holes h WHERE h.id = operation) THEN
        RETURN false;
    END IF;
    INSERT INTO audiostore.operation_holes VALUES (operation);
    -- Whoever takes the last one takes the pack.
    IF (SELECT count(DISTINCT h.id) FROM audiostore.operation_holes h
        WHERE h.id BETWEEN pack.id AND pack.id + pack.key_count - 1) = pack.key_count THEN
        DELETE FROM audiostore.operation_packs p WHERE p.id = pack.id;
        DELETE FROM audiostore.operation_holes h WHERE h.id BETWEEN pack.id AND pack.id + pack.key_count - 1;
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION audiostore.cut_packed_operation(bigint) IS
    'Takes a delete out of its pack; false when no pack has it. For the outbox itself';
REVOKE ALL ON FUNCTION audiostore.cut_packed_operation(bigint) FROM PUBLIC;

-- Whoever may change the view may change what is behind it, as with any view: hence SECURITY DEFINER.
CREATE FUNCTION audiostore.change_operation() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF tg_op = 'DELETE' THEN
        DELETE FROM audiostore.operation_rows r WHERE r.id = old.id;
        IF NOT FOUND AND NOT audiostore.cut_packed_operation(old.id) THEN RETURN NULL; END IF;
        RETURN old;
    END IF;
    IF new.id IS DISTINCT FROM old.id THEN
        RAISE EXCEPTION 'column "id" can only be what it was' USING ERRCODE = 'generated_always';
    END IF;
    UPDATE audiostore.operation_rows r
    SET enqueued_at = new.enqueued_at, not_before = new.not_before, leased_until = new.leased_until,
        attempts = new.attempts, claimed_by = new.claimed_by, in_doubt = new.in_doubt, kind = new.kind,
        state = new.state, store = new.store, key = new.key, target_store = new.target_store, target = new.target,
        reason = new.reason, last_error = new.last_error, options = new.options, payload = new.payload
    WHERE r.id = old.id;
    IF NOT FOUND THEN
        IF NOT audiostore.cut_packed_operation(old.id) THEN RETURN NULL; END IF;
        INSERT INTO audiostore.operation_rows
            (id, enqueued_at, not_before, leased_until, attempts, claimed_by, in_doubt, kind, state, store, key,
             target_store, target, reason, last_error, options, payload)
        OVERRIDING SYSTEM VALUE
        VALUES (new.id, new.enqueued_at, new.not_before, new.leased_until, new.attempts, new.claimed_by, new.in_doubt,
                new.kind, new.state, new.store, new.key, new.target_store, new.target, new.reason, new.last_error,
                new.options, new.payload);
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION audiostore.change_operation() IS
    'Trigger of the view operations: UPDATE and DELETE, by id. A packed delete that is updated becomes a row';
REVOKE ALL ON FUNCTION audiostore.change_operation() FROM PUBLIC;
CREATE TRIGGER change INSTEAD OF UPDATE OR DELETE ON audiostore.operations
    FOR EACH ROW EXECUTE FUNCTION audiostore.change_operation();
COMMENT ON TRIGGER change ON audiostore.operations IS 'passes changes on to operation_rows and operation_packs';

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

REVOKE ALL ON audiostore.operation_packs, audiostore.operation_holes, audiostore.operations,
    audiostore.pending_operations, audiostore.dead_operations FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audiostore.operation_packs', '');
SELECT pg_catalog.pg_extension_config_dump('audiostore.operation_holes', '');
