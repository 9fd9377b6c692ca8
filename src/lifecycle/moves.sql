-- Objects on their way to another store or class for a tiering policy. A row is the intent, and later the owner of the
-- copy: to_key is tracked like the keys of any other table (src/tracking/builtin.sql), so when the row goes, the copy is
-- either held by the row of the policy's table that was led over to it, or nobody's, and deleted.
CREATE TABLE audiostore.moves (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    policy_id bigint NOT NULL,
    operation_id bigint NOT NULL,
    store text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    to_store text COLLATE "C",
    to_key text COLLATE "C",
    storage_class text,
    bytes bigint CHECK (bytes >= 0),
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retry_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    last_error text,
    CONSTRAINT moves_target_check CHECK (num_nulls(to_store, to_key) = 2 * num_nonnulls(storage_class))
);
CREATE UNIQUE INDEX moves_object ON audiostore.moves (key, store);
CREATE INDEX moves_operation ON audiostore.moves (operation_id);
CREATE INDEX moves_policy ON audiostore.moves (policy_id);
CREATE INDEX moves_to_key ON audiostore.moves (to_key);

COMMENT ON TABLE audiostore.moves IS
    'Objects that a tiering policy has under way: the copy, or the change of the storage class, is queued or done, and the rows that hold the object have not been led over yet. The view policy_moves shows where each of them is';
COMMENT ON COLUMN audiostore.moves.policy_id IS 'the policy; when it is removed, what is under way is let go of';
COMMENT ON COLUMN audiostore.moves.operation_id IS 'the copy or set_class in the outbox';
COMMENT ON COLUMN audiostore.moves.store IS 'store of the object as it is';
COMMENT ON COLUMN audiostore.moves.key IS 'key of the object as it is; not tracked, its row holds it';
COMMENT ON COLUMN audiostore.moves.to_store IS 'store of the copy; NULL: the object stays, and its class changes';
COMMENT ON COLUMN audiostore.moves.to_key IS 'key of the copy; tracked';
COMMENT ON COLUMN audiostore.moves.storage_class IS 'the new class, where the object stays';
COMMENT ON COLUMN audiostore.moves.bytes IS 'size of the object as its row has it';
COMMENT ON COLUMN audiostore.moves.started_at IS 'when the policy queued it';
COMMENT ON COLUMN audiostore.moves.retry_at IS 'not before: the rows could not be led over, and are tried again';
COMMENT ON COLUMN audiostore.moves.failures IS 'how often that was';
COMMENT ON COLUMN audiostore.moves.last_error IS 'why';
COMMENT ON CONSTRAINT moves_target_check ON audiostore.moves IS 'either another place or another class';
COMMENT ON INDEX audiostore.moves_object IS 'an object has one way at a time';
COMMENT ON INDEX audiostore.moves_operation IS 'what an operation is for';
COMMENT ON INDEX audiostore.moves_policy IS 'what a policy has under way';
COMMENT ON INDEX audiostore.moves_to_key IS 'which rows hold this key';
REVOKE ALL ON audiostore.moves FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audiostore.moves', '');
SELECT pg_catalog.pg_extension_config_dump('audiostore.moves_id_seq', '');

CREATE VIEW audiostore.policy_moves WITH (security_barrier) AS
    SELECT m.id, m.policy_id, m.store, m.key, m.to_store, m.to_key, m.storage_class, m.bytes,
           CASE WHEN r.operation_id IS NOT NULL THEN 'moved' ELSE coalesce(o.state, 'cancelled') END AS state,
           m.operation_id, m.started_at, m.retry_at, coalesce(m.last_error, o.last_error) AS last_error
    FROM audiostore.moves m
    LEFT JOIN audiostore.operation_receipts r ON r.operation_id = m.operation_id
    LEFT JOIN audiostore.operation_rows o ON o.id = m.operation_id
    LEFT JOIN audiostore.policies p ON p.id = m.policy_id
    WHERE pg_catalog.pg_has_role(p.owner::oid, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW audiostore.policy_moves IS
    'What tiering policies have under way: of one''s own policies, and all of it for members of pg_monitor';
COMMENT ON COLUMN audiostore.policy_moves.state IS
    'pending or running: the operation is queued or under way; dead: it was given up, retry_operation(operation_id) or cancel_operation(operation_id) decides; moved: the object is there, its rows follow; cancelled: it will be let go of';
COMMENT ON COLUMN audiostore.policy_moves.last_error IS 'why the rows could not be led over, or why the operation failed';
GRANT SELECT ON audiostore.policy_moves TO PUBLIC;
