-- Audits: what a store lists against what the tracked columns say.
CREATE TABLE audiostore.audits (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    policy bigint,
    store text COLLATE "C" NOT NULL,
    prefix text COLLATE "C" NOT NULL DEFAULT '',
    min_age interval NOT NULL CHECK (min_age >= '0'),
    verify text CHECK (verify = 'sha256'),
    sample double precision NOT NULL DEFAULT 1 CHECK (sample > 0 AND sample <= 1),
    owner regrole NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    not_before timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    leased_until timestamptz,
    claimed_by integer,
    run bigint,
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    objects_expected bigint CHECK (objects_expected >= 0),
    objects bigint NOT NULL DEFAULT 0 CHECK (objects >= 0),
    bytes bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    rows bigint NOT NULL DEFAULT 0 CHECK (rows >= 0),
    verified bigint NOT NULL DEFAULT 0 CHECK (verified >= 0),
    unusable_keys bigint NOT NULL DEFAULT 0 CHECK (unusable_keys >= 0),
    findings bigint NOT NULL DEFAULT 0 CHECK (findings >= 0),
    complete boolean NOT NULL DEFAULT false,
    error text,
    CHECK (state <> 'running' OR started_at IS NOT NULL),
    CHECK (NOT complete OR state = 'done')
) WITH (fillfactor = 50);
CREATE INDEX audits_open ON audiostore.audits (not_before, id) WHERE state IN ('queued', 'running');
CREATE INDEX audits_store ON audiostore.audits (store, prefix, id);

COMMENT ON TABLE audiostore.audits IS
    'Audits, those that wait, run and have ended: written by start_audit(), audit policies and the worker, or CALL audiostore.run(''audits''), which carry them out. What they found is in audit_findings. One sees one''s own; members of pg_monitor see all. An ended audit goes audiostore.run_history after its end, except for the last complete one of each store and prefix';
COMMENT ON COLUMN audiostore.audits.id IS 'number of the audit';
COMMENT ON COLUMN audiostore.audits.policy IS 'policy that started it (kind audit); NULL: start_audit() did';
COMMENT ON COLUMN audiostore.audits.store IS 'foreign server that names the store';
COMMENT ON COLUMN audiostore.audits.prefix IS 'only keys that begin with these bytes, relative to the prefix of the store: images/ is what the prefix images has become';
COMMENT ON COLUMN audiostore.audits.min_age IS 'objects and unfinished uploads younger than this, as of started_at, are no findings';
COMMENT ON COLUMN audiostore.audits.verify IS 'sha256: read objects, and compare with the checksums that rows state; NULL: do not';
COMMENT ON COLUMN audiostore.audits.sample IS 'with verify: the part of the keys that is read, 1 for all';
COMMENT ON COLUMN audiostore.audits.owner IS 'role that asked for it, whose rights are checked when it runs';
COMMENT ON COLUMN audiostore.audits.state IS 'queued (waits for not_before), running, done, failed (see error) or cancelled';
COMMENT ON COLUMN audiostore.audits.requested_at IS 'when it was asked for';
COMMENT ON COLUMN audiostore.audits.not_before IS 'queued: when it is due, later than requested_at after a failure';
COMMENT ON COLUMN audiostore.audits.started_at IS 'when it began, the first time; ages count from here';
COMMENT ON COLUMN audiostore.audits.finished_at IS 'when it ended';
COMMENT ON COLUMN audiostore.audits.leased_until IS 'while it runs: until then nobody else takes it over';
COMMENT ON COLUMN audiostore.audits.claimed_by IS 'while it runs: process id';
COMMENT ON COLUMN audiostore.audits.run IS 'its entry in audiostore.runs, that of its last attempt';
COMMENT ON COLUMN audiostore.audits.failures IS 'attempts in a row that a fault of the store ended before they had come any further';
COMMENT ON COLUMN audiostore.audits.objects_expected IS 'how many objects it will probably look at: as many as the last complete one, else as there are rows by the planner''s estimate';
COMMENT ON COLUMN audiostore.audits.objects IS 'objects listed so far';
COMMENT ON COLUMN audiostore.audits.bytes IS 'their sizes';
COMMENT ON COLUMN audiostore.audits.rows IS 'live rows compared so far';
COMMENT ON COLUMN audiostore.audits.verified IS 'objects read so far, to verify their bytes';
COMMENT ON COLUMN audiostore.audits.unusable_keys IS 'objects whose keys are no text in the encoding of this database, so far: with any, the audit is not complete';
COMMENT ON COLUMN audiostore.audits.findings IS 'findings so far';
COMMENT ON COLUMN audiostore.audits.complete IS 'it came to the end of the listing, and everything in it could be judged; nothing else is a ground for purge_orphans()';
COMMENT ON COLUMN audiostore.audits.error IS 'why it failed, why its last attempt ended early, or what it could not judge';
COMMENT ON INDEX audiostore.audits_open IS 'audits that wait or run, in the order in which they are due';
COMMENT ON INDEX audiostore.audits_store IS 'audits of a store';

CREATE TABLE audiostore.audit_ranges (
    audit_id bigint NOT NULL REFERENCES audiostore.audits ON DELETE CASCADE,
    number integer NOT NULL CHECK (number >= 0),
    lists text NOT NULL CHECK (lists IN ('objects', 'unfinished uploads')),
    starts_after text COLLATE "C" NOT NULL,
    ends_at text COLLATE "C",
    resume_after text COLLATE "C" NOT NULL,
    done boolean NOT NULL DEFAULT false,
    PRIMARY KEY (audit_id, number)
) WITH (fillfactor = 50);
COMMENT ON TABLE audiostore.audit_ranges IS
    'Ranges of keys that an audit works off side by side, and how far it has come in each; another process goes on from there. They go when the audit ends';
COMMENT ON COLUMN audiostore.audit_ranges.audit_id IS 'the audit';
COMMENT ON COLUMN audiostore.audit_ranges.number IS 'place of the range, from 0 on';
COMMENT ON COLUMN audiostore.audit_ranges.lists IS 'what is listed: objects, or unfinished uploads';
COMMENT ON COLUMN audiostore.audit_ranges.starts_after IS 'keys greater than this, in byte order; empty: from the first on';
COMMENT ON COLUMN audiostore.audit_ranges.ends_at IS 'keys up to and with this one; NULL: to the last';
COMMENT ON COLUMN audiostore.audit_ranges.resume_after IS 'what is up to here is done; of unfinished uploads, in the driver''s own terms';
COMMENT ON COLUMN audiostore.audit_ranges.done IS 'all of it is done';

CREATE TABLE audiostore.audit_findings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    audit_id bigint NOT NULL REFERENCES audiostore.audits ON DELETE CASCADE,
    finding text NOT NULL CHECK (finding IN ('orphaned_object', 'dangling_row', 'size_mismatch', 'unfinished_upload', 'wrong_bytes')),
    key text COLLATE "C" NOT NULL,
    size bigint CHECK (size >= 0),
    last_modified timestamptz,
    relation regclass,
    key_column name,
    detail text,
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolution text,
    resolved_at timestamptz,
    CHECK ((resolution IS NULL) = (resolved_at IS NULL))
);
CREATE INDEX audit_findings_audit ON audiostore.audit_findings (audit_id, finding, key);

COMMENT ON TABLE audiostore.audit_findings IS
    'What audits found, each checked twice. One sees those of one''s own audits, and of their rows those of tables that one may read; members of pg_monitor see all. A finding says what was so when it was found; purge_orphans() and repair_dangling() look again';
COMMENT ON COLUMN audiostore.audit_findings.id IS 'number of the finding';
COMMENT ON COLUMN audiostore.audit_findings.audit_id IS 'audit that found it';
COMMENT ON COLUMN audiostore.audit_findings.finding IS
    'orphaned_object (nothing in the database speaks for it), dangling_row (a live row without its object), size_mismatch (the row states another size), unfinished_upload (parts that are paid for, and no object), wrong_bytes (the row states another checksum)';
COMMENT ON COLUMN audiostore.audit_findings.key IS 'key of the object, relative to the prefix of the store';
COMMENT ON COLUMN audiostore.audit_findings.size IS 'size of the object in bytes; NULL where there is none';
COMMENT ON COLUMN audiostore.audit_findings.last_modified IS 'when the object was written, or the upload begun, by the clock of the store';
COMMENT ON COLUMN audiostore.audit_findings.relation IS 'table or partition with the row; NULL where there is none';
COMMENT ON COLUMN audiostore.audit_findings.key_column IS 'tracked column of relation with the key';
COMMENT ON COLUMN audiostore.audit_findings.detail IS 'what was expected and what was seen';
COMMENT ON COLUMN audiostore.audit_findings.found_at IS 'when it was found';
COMMENT ON COLUMN audiostore.audit_findings.resolution IS 'what purge_orphans() or repair_dangling() did about it; NULL: nothing yet';
COMMENT ON COLUMN audiostore.audit_findings.resolved_at IS 'when that was';
COMMENT ON INDEX audiostore.audit_findings_audit IS 'findings of an audit by kind';

SELECT pg_catalog.pg_extension_config_dump('audiostore.audits', '');
SELECT pg_catalog.pg_extension_config_dump('audiostore.audits_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('audiostore.audit_ranges', '');
SELECT pg_catalog.pg_extension_config_dump('audiostore.audit_findings', '');
SELECT pg_catalog.pg_extension_config_dump('audiostore.audit_findings_id_seq', '');

-- The tables are read by those who audit, without a view in between: rows of others do not show.
ALTER TABLE audiostore.audits ENABLE ROW LEVEL SECURITY;
ALTER TABLE audiostore.audit_findings ENABLE ROW LEVEL SECURITY;
CREATE POLICY audits_own ON audiostore.audits FOR SELECT
    USING (pg_catalog.pg_has_role(owner::oid, 'USAGE') OR pg_catalog.pg_has_role('pg_monitor', 'USAGE'));
COMMENT ON POLICY audits_own ON audiostore.audits IS 'one''s own audits, and all for members of pg_monitor';
CREATE POLICY audit_findings_own ON audiostore.audit_findings FOR SELECT
    USING (EXISTS (SELECT FROM audiostore.audits a WHERE a.id = audit_id)
           AND (relation IS NULL OR pg_catalog.has_table_privilege(relation::oid, 'SELECT')
                OR pg_catalog.pg_has_role('pg_monitor', 'USAGE')));
COMMENT ON POLICY audit_findings_own ON audiostore.audit_findings IS
    'findings of the audits that one sees; those about rows, to who may read the table';
REVOKE ALL ON audiostore.audits, audiostore.audit_ranges, audiostore.audit_findings FROM PUBLIC;
GRANT SELECT ON audiostore.audits, audiostore.audit_findings TO PUBLIC;
GRANT SELECT ON audiostore.audit_ranges TO pg_monitor;
