-- Audits: looking now, asking the worker to look, and what to do about what was found.
CREATE FUNCTION audiostore.audit_store(store name, prefix text DEFAULT '', min_age interval DEFAULT '24 hours',
        verify text DEFAULT NULL, sample double precision DEFAULT 1,
        OUT finding text, OUT key text, OUT size bigint, OUT last_modified timestamptz, OUT relation regclass,
        OUT detail text) RETURNS SETOF record
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_audit_store';
COMMENT ON FUNCTION audiostore.audit_store(name, text, interval, text, double precision) IS
    'Compares what the store (NULL: the default store) lists with the keys of the tracked columns, now and inside the statement, and returns what does not fit. start_audit() has the worker do the same beside the application, and keeps the result. '
    'orphaned_object: an object that was written longer than min_age before the audit began, that no live row of any tracked column holds or is about to hold, and for which no operation is queued or under way. dangling_row: a live row whose object is absent, and no put, copy or move to its key is queued or under way; relation names the table. size_mismatch: the object has another size than the tracking''s size_column says. unfinished_upload: a multipart upload (in a local store: a file of a write that did not end) begun longer than min_age ago. '
    'wrong_bytes, only with verify => ''sha256'': the object''s SHA-256 is not what the tracking''s checksum_column says; sample is the part of the keys that is read, chosen at random (0.01: one of a hundred). '
    'Nothing is reported on the word of the listing alone: rows, operations and the object are asked again first. '
    'prefix means a folder: images and images/ are the keys below images/, not images2/a. images* is every key that begins with images. '
    'Rows of tables that the caller may not SELECT from count, but are not shown. Needs USAGE on the store. Errors: 22023 (min_age, verify, sample), 42501, 42704 (no such store), and what the store says';

CREATE FUNCTION audiostore.start_audit(store name, prefix text DEFAULT '', min_age interval DEFAULT '24 hours',
        verify text DEFAULT NULL, sample double precision DEFAULT 1) RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_start_audit';
COMMENT ON FUNCTION audiostore.start_audit(name, text, interval, text, double precision) IS
    'Queues an audit, which the worker, or CALL audiostore.run(''audits''), carries out after the commit; returns its number in audits. Takes what audit_store() takes. It lists several ranges of keys side by side, keeps no transaction open meanwhile, and goes on where it was after a crash. '
    'A failed audit raises the alert audit_failed, its findings raise the alert audit_findings; the next good one clears them. Needs USAGE on the store. Errors: 22023 (min_age, verify, sample), 42501, 42704 (no such store)';

CREATE FUNCTION audiostore.cancel_audit(id bigint) RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_cancel_audit';
COMMENT ON FUNCTION audiostore.cancel_audit(bigint) IS
    'Ends an audit that waits or runs; what it has found stays. Returns false when it has ended already. Only its owner may. Errors: 42501, 42704 (no such audit)';

CREATE FUNCTION audiostore.add_audit_policy(store name, prefix text DEFAULT '', schedule interval DEFAULT '1 day',
        min_age interval DEFAULT '24 hours', verify text DEFAULT NULL, sample double precision DEFAULT 1) RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_add_audit_policy';
COMMENT ON FUNCTION audiostore.add_audit_policy(name, text, interval, interval, text, double precision) IS
    'From now on the store is audited every schedule, as by start_audit(); the first time at once. Returns the number of the policy, for alter_policy() (after is the min_age), remove_policy() and run_policy(). An audit of the same policy that still waits or runs is not joined by another. '
    'Needs USAGE on the store, at each run again. Errors: 22023 (schedule, min_age, verify, sample), 42501, 42704 (no such store), 42710 (store and prefix have an audit policy already)';

CREATE FUNCTION audiostore.purge_orphans(audit_id bigint, dry_run boolean DEFAULT true,
        max_fraction double precision DEFAULT 0.01,
        OUT key text, OUT size bigint, OUT outcome text, OUT operation bigint) RETURNS SETOF record
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_purge_orphans';
COMMENT ON FUNCTION audiostore.purge_orphans(bigint, boolean, double precision) IS
    'Deletes the orphaned objects that an audit found, at most 100000 in a call. With dry_run it only says what it would do. Each one is checked again now, as audit_store() does: it has to be the object that was found, still unheld and with nothing queued. Deletes are queued, wait for the store''s delete_grace, and are checked against live rows once more before they are sent. '
    'outcome: delete queued (operation is its number), would be deleted, or why it stays: gone, changed, held by a row, operation queued. '
    'Refused, and nothing is queued, when more than max_fraction of the objects that the audit saw would go, those purged before included; when a tracked table that can hold keys of the store is empty (those of this extension do not count); or when the audit is not complete. A dry run warns of that, and shows its rows all the same. '
    'Asks the store inside the statement, before anything is locked. Needs ownership of the audit and of the foreign server, and USAGE on it. Errors: 22023 (max_fraction), 42501, 42704 (no such audit), 55000 (refused, see DETAIL)';

CREATE FUNCTION audiostore.repair_dangling(audit_id bigint, action text, from_store name DEFAULT NULL,
        OUT key text, OUT relation regclass, OUT outcome text, OUT detail text) RETURNS SETOF record
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_repair_dangling';
COMMENT ON FUNCTION audiostore.repair_dangling(bigint, text, name) IS
    'Does something about the dangling rows that an audit found, at most 10000 in a call: action delete_row deletes them, set_null sets their key column to NULL and so lets go of the object, restore copies the object back from the store from_store, where it has the same key. '
    'Each one is checked again first: where the object is back, the row is gone, or an operation is queued that brings it, nothing happens. Rows change with the rights of the caller; one that cannot be changed does not hold up the others. '
    'outcome: row deleted, key set to null, copy queued; not needed (the row or the lack is gone); or failed, with the reason in detail. '
    'Asks the stores inside the statement, before anything is locked. Needs ownership of the audit, USAGE on the stores and the rights on the tables. Errors: 22004 and 22023 (action, from_store), 42501, 42704 (no such audit or store)';

