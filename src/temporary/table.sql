-- Scratch objects on a lease. A row owns its object from its making until it is released, expired, or promoted; it is
-- kept after that for as long as a client may still upload to its key, and what was uploaded too late is swept away.
CREATE TABLE audiostore.temporary_objects (
    key text COLLATE "C" NOT NULL,
    store text COLLATE "C" NOT NULL,
    state text NOT NULL DEFAULT 'leased'
        CHECK (state IN ('leased', 'promoting', 'promoted', 'failed', 'released', 'expired')),
    purpose text,
    metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
    created_by name NOT NULL DEFAULT current_user,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL CHECK (isfinite(expires_at)),
    upload_until timestamptz CHECK (isfinite(upload_until)),
    promoted_to_store text COLLATE "C",
    promoted_to text COLLATE "C",
    sidecar_key text COLLATE "C",
    sidecar jsonb,
    operation_id bigint,
    sidecar_operation_id bigint,
    ended_at timestamptz,
    keep_until timestamptz,
    last_error text,
    due_at timestamptz GENERATED ALWAYS AS (
        CASE WHEN state = 'leased' THEN expires_at
             WHEN state IN ('promoting', 'failed') THEN NULL
             ELSE coalesce(upload_until, keep_until, ended_at) END) STORED,
    PRIMARY KEY (key, store),
    CONSTRAINT temporary_objects_promotion_check CHECK (
        state NOT IN ('promoting', 'promoted', 'failed') OR num_nonnulls(promoted_to_store, promoted_to) = 2),
    CONSTRAINT temporary_objects_sidecar_check CHECK (sidecar IS NULL OR sidecar_key IS NOT NULL),
    CONSTRAINT temporary_objects_end_check CHECK (
        (state IN ('promoted', 'released', 'expired')) = (ended_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX temporary_objects_due ON audiostore.temporary_objects (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX temporary_objects_operation ON audiostore.temporary_objects (operation_id) WHERE operation_id IS NOT NULL;

COMMENT ON TABLE audiostore.temporary_objects IS
    'Scratch objects: written by create_temporary_object(), extend_temporary_object(), release_temporary_object(), promote_object() and the worker. While a row is leased, promoting or failed it owns its object; afterwards it is history and goes by itself. The view temporary_object_status shows it to whoever may use the store';
COMMENT ON COLUMN audiostore.temporary_objects.key IS 'key of the object: a random UUID and the suffix that was asked for';
COMMENT ON COLUMN audiostore.temporary_objects.store IS 'foreign server that names its store';
COMMENT ON COLUMN audiostore.temporary_objects.state IS
    'leased; promoting: its move to promoted_to is queued; promoted: it is there, verified; failed: the move was given up, see last_error, and the object is still here; released; expired';
COMMENT ON COLUMN audiostore.temporary_objects.purpose IS 'what it is for, as its maker said';
COMMENT ON COLUMN audiostore.temporary_objects.metadata IS 'what its maker wants to remember about it; stays in this row';
COMMENT ON COLUMN audiostore.temporary_objects.created_by IS 'role that made it';
COMMENT ON COLUMN audiostore.temporary_objects.created_at IS 'when that was';
COMMENT ON COLUMN audiostore.temporary_objects.expires_at IS 'end of the lease; without meaning once a promotion is asked for';
COMMENT ON COLUMN audiostore.temporary_objects.upload_until IS
    'until then somebody may be writing to the key: an hour after the end of the lease, or of the upload URL where that is later. NULL: what may have been written too late has been deleted';
COMMENT ON COLUMN audiostore.temporary_objects.promoted_to_store IS 'promotion: store of the permanent object';
COMMENT ON COLUMN audiostore.temporary_objects.promoted_to IS 'promotion: its key';
COMMENT ON COLUMN audiostore.temporary_objects.sidecar_key IS 'promotion: key of the metadata sidecar, beside it';
COMMENT ON COLUMN audiostore.temporary_objects.sidecar IS 'promotion: what the sidecar says, until it is queued for good';
COMMENT ON COLUMN audiostore.temporary_objects.operation_id IS 'promotion: the move, in audiostore.operations while it is queued, under way or dead';
COMMENT ON COLUMN audiostore.temporary_objects.sidecar_operation_id IS 'promotion: the put of the sidecar, which waits for the move';
COMMENT ON COLUMN audiostore.temporary_objects.ended_at IS 'when it was promoted, released or expired';
COMMENT ON COLUMN audiostore.temporary_objects.keep_until IS 'promoted: the row is kept until then, so that promoting twice is known to be once';
COMMENT ON COLUMN audiostore.temporary_objects.last_error IS 'failed: why';
COMMENT ON COLUMN audiostore.temporary_objects.due_at IS 'when the worker looks at the row next; NULL: never by itself';
COMMENT ON CONSTRAINT temporary_objects_promotion_check ON audiostore.temporary_objects IS 'a promotion has a target';
COMMENT ON CONSTRAINT temporary_objects_sidecar_check ON audiostore.temporary_objects IS 'a sidecar has a key';
COMMENT ON CONSTRAINT temporary_objects_end_check ON audiostore.temporary_objects IS 'what has ended says when';
COMMENT ON INDEX audiostore.temporary_objects_due IS 'what the worker looks at next';
COMMENT ON INDEX audiostore.temporary_objects_operation IS 'the row that waits for a move';

CREATE VIEW audiostore.temporary_object_status WITH (security_barrier) AS
    SELECT t.store, t.key, t.state, t.purpose, t.metadata, t.created_by, t.created_at, t.expires_at,
           t.promoted_to_store, t.promoted_to, t.sidecar_key, t.ended_at, t.last_error
    FROM audiostore.temporary_objects t
    JOIN pg_catalog.pg_foreign_server s ON s.srvname = t.store
    WHERE pg_catalog.has_server_privilege(s.oid, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW audiostore.temporary_object_status IS
    'Scratch objects and what became of them, in the stores that the current role may use: those on a lease, being promoted, or ended not long ago';
COMMENT ON COLUMN audiostore.temporary_object_status.state IS
    'leased, promoting, promoted, failed (see last_error), released or expired';
COMMENT ON COLUMN audiostore.temporary_object_status.promoted_to IS 'permanent key; the object is there once state is promoted';

SELECT pg_catalog.pg_extension_config_dump('audiostore.temporary_objects', '');
REVOKE ALL ON audiostore.temporary_objects FROM PUBLIC;
GRANT SELECT ON audiostore.temporary_objects TO pg_monitor;
GRANT SELECT ON audiostore.temporary_object_status TO PUBLIC;
