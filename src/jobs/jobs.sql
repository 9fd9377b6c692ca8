-- Jobs: a queue of work for workers inside and outside the database. Claim, work, settle: a claim is a lease with a
-- number; whoever comes with another number has lost it.
CREATE TABLE audiostore.jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_type text COLLATE "C" NOT NULL CHECK (length(job_type) BETWEEN 1 AND 200),
    payload jsonb NOT NULL DEFAULT '{}',
    priority integer NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'done', 'dead')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    max_attempts integer NOT NULL DEFAULT 5 CHECK (max_attempts >= 1),
    not_before timestamptz NOT NULL DEFAULT now(),
    leased_until timestamptz,
    worker text,
    claim bigint NOT NULL DEFAULT 0,
    unique_key text COLLATE "C",
    result jsonb,
    last_error text,
    enqueued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT jobs_running_check CHECK (state <> 'running' OR (leased_until IS NOT NULL AND worker IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000);

-- claim_jobs() walks down the priorities of a type and, within one, from the oldest due job on: each step is one
-- descent of this index, however many jobs are pending or put off. Claimed and finished jobs are not in it.
CREATE INDEX jobs_due ON audiostore.jobs (job_type, priority DESC, not_before, id) WHERE state = 'pending';
CREATE INDEX jobs_leases ON audiostore.jobs (job_type, leased_until) WHERE state = 'running';
CREATE INDEX jobs_dead ON audiostore.jobs (job_type, finished_at) WHERE state = 'dead';
CREATE INDEX jobs_done ON audiostore.jobs (finished_at) WHERE state = 'done';
CREATE UNIQUE INDEX jobs_unique_key ON audiostore.jobs (job_type, unique_key)
    WHERE state IN ('pending', 'running') AND unique_key IS NOT NULL;

COMMENT ON TABLE audiostore.jobs IS
    'Queue of work. enqueue_job() adds a row in the caller''s transaction, claim_jobs() hands it out with a lease, '
    'complete_job() or fail_job() settles it. Done jobs are removed after the setting audiostore.run_history';
COMMENT ON COLUMN audiostore.jobs.id IS 'number of the job, in the order of enqueueing';
COMMENT ON COLUMN audiostore.jobs.job_type IS 'what is to be done: audio_finalize, or a name of the application''s; claims and notifications go by it';
COMMENT ON COLUMN audiostore.jobs.payload IS 'what the worker has to know';
COMMENT ON COLUMN audiostore.jobs.priority IS 'higher ones are claimed first';
COMMENT ON COLUMN audiostore.jobs.state IS
    'pending; running: claimed, under a lease; done; dead: given up, see last_error, retry_job() revives it';
COMMENT ON COLUMN audiostore.jobs.attempts IS 'attempts so far, counted by the claim';
COMMENT ON COLUMN audiostore.jobs.max_attempts IS 'dead after so many';
COMMENT ON COLUMN audiostore.jobs.not_before IS 'earliest time of the next attempt: as enqueued, or the end of the backoff';
COMMENT ON COLUMN audiostore.jobs.leased_until IS 'while running: until then nobody else gets it, see heartbeat_job()';
COMMENT ON COLUMN audiostore.jobs.worker IS 'name that the last claimant gave';
COMMENT ON COLUMN audiostore.jobs.claim IS
    'number of the last claim, higher with each: given to complete_job() and its kin, it refuses a claimant that lost its lease, even one of the same name';
COMMENT ON COLUMN audiostore.jobs.unique_key IS 'at most one pending or running job of a type has it; NULL: no limit';
COMMENT ON COLUMN audiostore.jobs.result IS 'what complete_job() was given';
COMMENT ON COLUMN audiostore.jobs.last_error IS 'why the last attempt failed';
COMMENT ON COLUMN audiostore.jobs.enqueued_at IS 'when it was enqueued';
COMMENT ON COLUMN audiostore.jobs.started_at IS 'when the last attempt started';
COMMENT ON COLUMN audiostore.jobs.finished_at IS 'when it was done, or given up';
COMMENT ON CONSTRAINT jobs_running_check ON audiostore.jobs IS 'a running job has a claimant and a lease';
COMMENT ON INDEX audiostore.jobs_due IS 'pending jobs in the order in which they are claimed';
COMMENT ON INDEX audiostore.jobs_leases IS 'which leases have ended';
COMMENT ON INDEX audiostore.jobs_dead IS 'dead jobs';
COMMENT ON INDEX audiostore.jobs_done IS 'for removing old entries';
COMMENT ON INDEX audiostore.jobs_unique_key IS 'one pending or running job for each unique_key';
SELECT pg_catalog.pg_extension_config_dump('audiostore.jobs', '');
SELECT pg_catalog.pg_extension_config_dump('audiostore.jobs_id_seq', '');

CREATE VIEW audiostore.pending_jobs AS
    SELECT id, job_type, state, priority, payload, attempts, max_attempts, enqueued_at, not_before, started_at,
           leased_until, worker, unique_key, last_error
    FROM audiostore.jobs
    WHERE state IN ('pending', 'running');
COMMENT ON VIEW audiostore.pending_jobs IS 'jobs that are waiting or under way';

CREATE VIEW audiostore.dead_jobs AS
    SELECT id, job_type, payload, attempts, max_attempts, enqueued_at, finished_at, worker, unique_key, last_error
    FROM audiostore.jobs
    WHERE state = 'dead';
COMMENT ON VIEW audiostore.dead_jobs IS 'jobs that were given up; see last_error, then retry_job(id) or DELETE';

-- Enqueued and revived jobs are announced when the transaction commits; PostgreSQL sends equal notifications of a
-- transaction once.
CREATE FUNCTION audiostore.notify_jobs() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('audiostore_jobs', types.job_type)
    FROM (SELECT DISTINCT job_type FROM new_jobs WHERE state = 'pending' ORDER BY job_type) AS types;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION audiostore.notify_jobs() IS
    'Trigger function: NOTIFY audiostore_jobs with the type of each new job as payload, once for each type in a transaction';
CREATE TRIGGER notify_jobs AFTER INSERT ON audiostore.jobs REFERENCING NEW TABLE AS new_jobs
    FOR EACH STATEMENT EXECUTE FUNCTION audiostore.notify_jobs();
COMMENT ON TRIGGER notify_jobs ON audiostore.jobs IS 'tells whoever listens to audiostore_jobs';
