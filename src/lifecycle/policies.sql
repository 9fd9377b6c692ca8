-- Policies: rules that the worker carries out again and again. A row is both the rule and where its runs stand.
CREATE TABLE audiostore.policies (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('expiry', 'retention', 'audit')),
    store text COLLATE "C",
    prefix text COLLATE "C",
    relation regclass,
    age_column name,
    condition text,
    action text CHECK (action IN ('delete', 'set')),
    assignments jsonb CHECK (jsonb_typeof(assignments) = 'object'),
    after interval NOT NULL CHECK (after > '0'),
    schedule interval NOT NULL CHECK (schedule >= '1 second'),
    enabled boolean NOT NULL DEFAULT true,
    owner regrole NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_run_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    leased_until timestamptz,
    claimed_by integer,
    resume_after text COLLATE "C",
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    last_run_at timestamptz,
    last_finished_at timestamptz,
    last_rows bigint CHECK (last_rows >= 0),
    last_bytes bigint CHECK (last_bytes >= 0),
    last_kept bigint CHECK (last_kept >= 0),
    last_row_error text,
    last_error text,
    verify text CHECK (verify = 'sha256'),
    sample double precision CHECK (sample > 0 AND sample <= 1),
    CONSTRAINT policies_columns_check CHECK (
        CASE WHEN kind IN ('expiry', 'audit') THEN store IS NOT NULL AND prefix IS NOT NULL AND num_nonnulls(relation, age_column, action) = 0
        ELSE num_nonnulls(store, prefix) = 0 AND num_nonnulls(relation, age_column, condition, action) = 4
             AND (assignments IS NOT NULL) = (action = 'set') END)
) WITH (fillfactor = 50);
ALTER TABLE audiostore.policies ADD CONSTRAINT policies_audit_check
    CHECK (num_nonnulls(verify, sample) = 0 OR (kind = 'audit' AND sample IS NOT NULL));
CREATE UNIQUE INDEX policies_audit ON audiostore.policies (store, prefix) WHERE kind = 'audit';
CREATE UNIQUE INDEX policies_expiry ON audiostore.policies (store, prefix) WHERE kind = 'expiry';

COMMENT ON TABLE audiostore.policies IS
    'Rules that the worker, or CALL audiostore.run(''policies''), carries out again and again: written by add_expiry_policy(), add_retention_policy(), alter_policy() and remove_policy(). The view policy_status shows them to their owners';
COMMENT ON COLUMN audiostore.policies.id IS 'number of the policy';
COMMENT ON COLUMN audiostore.policies.kind IS 'expiry: objects of a store go when they are old; retention: rows of a table go, or change, when they are old; audit: a store is compared with the rows (see audits)';
COMMENT ON COLUMN audiostore.policies.store IS 'expiry, audit: foreign server that names the store';
COMMENT ON COLUMN audiostore.policies.prefix IS 'expiry, audit: only keys that begin with these bytes, relative to the prefix of the store';
COMMENT ON COLUMN audiostore.policies.relation IS 'retention: the table';
COMMENT ON COLUMN audiostore.policies.age_column IS 'retention: column with the time that age counts from';
COMMENT ON COLUMN audiostore.policies.condition IS 'retention: expression over the row t that has to be true as well, as PostgreSQL writes it';
COMMENT ON COLUMN audiostore.policies.action IS 'retention: delete the row, or set columns of it';
COMMENT ON COLUMN audiostore.policies.assignments IS 'retention that sets: a value for each of these columns';
COMMENT ON CONSTRAINT policies_columns_check ON audiostore.policies IS 'each kind has its own columns';
COMMENT ON COLUMN audiostore.policies.after IS 'age from which on it applies; audit: min_age';
COMMENT ON COLUMN audiostore.policies.schedule IS 'time from the start of a run to the start of the next; at least a second';
COMMENT ON COLUMN audiostore.policies.enabled IS 'false: paused';
COMMENT ON COLUMN audiostore.policies.owner IS 'role that added it, whose rights are checked again at each run';
COMMENT ON COLUMN audiostore.policies.created_at IS 'when it was added';
COMMENT ON COLUMN audiostore.policies.next_run_at IS 'when it is due';
COMMENT ON COLUMN audiostore.policies.leased_until IS 'while it runs: until then nobody else runs it';
COMMENT ON COLUMN audiostore.policies.claimed_by IS 'while it runs: process id';
COMMENT ON COLUMN audiostore.policies.resume_after IS 'key behind which the next run begins, as the last one did not come to its end; NULL: at the beginning';
COMMENT ON COLUMN audiostore.policies.failures IS 'failed runs in a row';
COMMENT ON COLUMN audiostore.policies.last_run_at IS 'when the last run started';
COMMENT ON COLUMN audiostore.policies.last_finished_at IS 'when the last run ended, well or not';
COMMENT ON COLUMN audiostore.policies.last_rows IS 'what that run did: deletes that it queued, rows that it deleted or changed; audit: findings';
COMMENT ON COLUMN audiostore.policies.last_bytes IS 'bytes of the objects concerned';
COMMENT ON COLUMN audiostore.policies.last_kept IS 'expiry: old enough objects that it left alone, as a live row holds them or an operation on them is queued; retention: rows that could not be deleted or changed, see last_row_error';
COMMENT ON COLUMN audiostore.policies.last_row_error IS 'retention: why a row was left alone, the last of them';
COMMENT ON COLUMN audiostore.policies.last_error IS 'why it failed; NULL when it went well';
COMMENT ON COLUMN audiostore.policies.verify IS 'audit: sha256, or NULL';
COMMENT ON COLUMN audiostore.policies.sample IS 'audit: with verify, the part of the keys whose objects are read';
COMMENT ON CONSTRAINT policies_audit_check ON audiostore.policies IS 'audits, and nothing else, verify';
COMMENT ON INDEX audiostore.policies_audit IS 'at most one audit policy for each store and prefix';
COMMENT ON INDEX audiostore.policies_expiry IS 'at most one expiry policy for each store and prefix';
SELECT pg_catalog.pg_extension_config_dump('audiostore.policies', '');
SELECT pg_catalog.pg_extension_config_dump('audiostore.policies_id_seq', '');
REVOKE ALL ON audiostore.policies FROM PUBLIC;
GRANT SELECT ON audiostore.policies TO pg_monitor;

CREATE VIEW audiostore.policy_status WITH (security_barrier) AS
    SELECT id, kind, store, prefix, relation, age_column, condition, action, assignments, after, schedule, owner,
           CASE WHEN leased_until > clock_timestamp() THEN 'running'
                WHEN NOT enabled THEN 'disabled'
                WHEN next_run_at <= clock_timestamp() THEN 'due'
                ELSE 'waiting' END AS state,
           next_run_at, last_run_at, last_finished_at,
           CASE WHEN last_error IS NOT NULL THEN 'failed' WHEN last_finished_at IS NOT NULL THEN 'done' END AS last_result,
           last_rows, last_bytes, last_kept, last_row_error, last_error
    FROM audiostore.policies
    WHERE pg_catalog.pg_has_role(owner::oid, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW audiostore.policy_status IS
    'Policies and their last runs: one''s own, and all of them for members of pg_monitor. What a policy would do now is preview_policy()';
COMMENT ON COLUMN audiostore.policy_status.state IS 'running, disabled, due or waiting for next_run_at';
COMMENT ON COLUMN audiostore.policy_status.last_result IS 'done or failed; NULL before the first run';
GRANT SELECT ON audiostore.policy_status TO PUBLIC;

CREATE FUNCTION audiostore.add_expiry_policy(store name, prefix text, after interval,
        schedule interval DEFAULT '10 minutes') RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_add_expiry_policy';
COMMENT ON FUNCTION audiostore.add_expiry_policy(name, text, interval, interval) IS
    'From now on objects of the store (NULL: the default store) whose keys begin with the prefix are deleted when the store last saw them written longer than after ago: for caches and scratch space whose objects have no rows. Returns the number of the policy. '
    'The prefix is compared byte by byte: images also means images2/..., images/ does not; the empty one means the whole store. '
    'Every schedule the worker lists the store and queues the deletes, at most 10000 that are due at a time. An object that a live row of a tracked column holds stays, and so does one with a queued put, copy or move; deletes wait for the store''s delete_grace and are repeated like any other. '
    'Needs ownership of the foreign server and USAGE on it, at each run again. Errors: 22023 (after or schedule), 42501, 42704 (no such store), 42710 (store and prefix have a policy already)';

CREATE FUNCTION audiostore.add_retention_policy(relation regclass, after interval, age_column name,
        condition text DEFAULT 'true', action text DEFAULT 'delete', assignments jsonb DEFAULT NULL,
        schedule interval DEFAULT '1 hour') RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_add_retention_policy';
COMMENT ON FUNCTION audiostore.add_retention_policy(regclass, interval, name, text, text, jsonb, interval) IS
    'From now on rows of the table whose age_column (timestamptz, timestamp or date) is longer than after ago, and for which condition is true, are deleted (action delete; the objects of tracked columns follow), or changed (action set): assignments is a JSON object with a value for each column to set, e.g. {"state": "archived"}, or {"storage_path": null} to let go of the object and keep the row; rows that have these values are left alone. Returns the number of the policy. '
    'condition is one expression over the columns of the row, subqueries included; its names are looked up now, in the search_path of the caller. '
    'Every schedule the rows are worked off in the order of their age, 1000 in a transaction; a row that cannot be deleted or changed is passed over, and counted in last_kept, up to 1000 in a run. Rows that somebody has locked wait for the next run. '
    'Runs with the privileges of its owner, in a restricted security context and with search_path pg_catalog, pg_temp. An index on age_column makes it cheap: without one there is a NOTICE. '
    'Needs ownership of the table, at each run again. Errors: 22023 (after, schedule, action or assignments), 42501, 42703 (no such column), 42804 (type of age_column), 42809 (not a table), and what PostgreSQL says about condition and values';

CREATE FUNCTION audiostore.alter_policy(id bigint, after interval DEFAULT NULL, schedule interval DEFAULT NULL,
        enabled boolean DEFAULT NULL) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_alter_policy';
COMMENT ON FUNCTION audiostore.alter_policy(bigint, interval, interval, boolean) IS
    'Changes what is given and leaves what is NULL. enabled => false pauses the policy; a run under way stops at the next page. Only its owner may. Errors: 22023, 42501, 42704 (no such policy)';

CREATE FUNCTION audiostore.remove_policy(id bigint, if_exists boolean DEFAULT false) RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_remove_policy';
COMMENT ON FUNCTION audiostore.remove_policy(bigint, boolean) IS
    'Removes a policy; what it has queued stays queued. Returns false when there is none and if_exists is true. Only its owner may. Errors: 42501, 42704 (no such policy)';

CREATE FUNCTION audiostore.run_policy(id bigint) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_run_policy';
COMMENT ON FUNCTION audiostore.run_policy(bigint) IS
    'Makes a policy due at once: the worker, or the next CALL audiostore.run(''policies''), runs it. Only its owner may. Errors: 42501, 42704 (no such policy), 55000 (it is disabled)';

CREATE FUNCTION audiostore.preview_policy(id bigint, OUT rows bigint, OUT bytes bigint)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_preview_policy';
COMMENT ON FUNCTION audiostore.preview_policy(bigint) IS
    'What a run would touch now, and changes nothing: the number of objects and their bytes. For an expiry policy it lists the store, which may take a while. Only the owner of the policy may. Errors: 0A000 (an audit touches nothing), 42501, 42704 (no such policy)';
