-- What a claimant does with a job that it has claimed.
CREATE FUNCTION audiostore.lock_claimed_job(id bigint, worker text, claim bigint) RETURNS audiostore.jobs
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job audiostore.jobs;
BEGIN
    SELECT * INTO job FROM audiostore.jobs j WHERE j.id = lock_claimed_job.id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'job % does not exist', lock_claimed_job.id USING ERRCODE = 'undefined_object';
    END IF;
    -- IS DISTINCT FROM: the caller's name may be NULL, and so may the row's.
    IF job.worker IS DISTINCT FROM lock_claimed_job.worker
        OR coalesce(job.claim <> lock_claimed_job.claim, false) THEN
        RAISE EXCEPTION 'job % is not claimed by worker "%" any more', job.id, coalesce(lock_claimed_job.worker, '')
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = format('The job is %s; its last claim, number %s, was that of worker "%s".', job.state,
                                  job.claim, coalesce(job.worker, '')),
                  HINT = 'The lease ended before the job was settled. Drop the work: whoever has the job now does it again.';
    END IF;
    RETURN job;
END
$$;
COMMENT ON FUNCTION audiostore.lock_claimed_job(bigint, text, bigint) IS
    'The job, locked, if its last claim is this one. Errors: 42704 when there is no such job, 55000 when the claim is lost';

CREATE FUNCTION audiostore.refuse_lost_claim(job audiostore.jobs) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'job % is not running any more', job.id
        USING ERRCODE = 'object_not_in_prerequisite_state',
              DETAIL = format('The job is %s%s.', job.state, coalesce(': ' || job.last_error, '')),
              HINT = 'Drop the work: its claim ended before it was settled, or it was settled otherwise.';
END
$$;
COMMENT ON FUNCTION audiostore.refuse_lost_claim(audiostore.jobs) IS 'Raises 55000: the job is not running';

CREATE FUNCTION audiostore.heartbeat_job(
    id bigint, worker text, lease interval DEFAULT '5 minutes', claim bigint DEFAULT NULL) RETURNS timestamptz
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job CONSTANT audiostore.jobs :=
        audiostore.lock_claimed_job(heartbeat_job.id, heartbeat_job.worker, heartbeat_job.claim);
    until timestamptz;
BEGIN
    PERFORM audiostore.check_lease(heartbeat_job.worker, heartbeat_job.lease);
    IF job.state <> 'running' THEN
        PERFORM audiostore.refuse_lost_claim(job);
    END IF;
    UPDATE audiostore.jobs j SET leased_until = clock_timestamp() + heartbeat_job.lease WHERE j.id = job.id
    RETURNING j.leased_until INTO until;
    RETURN until;
END
$$;
COMMENT ON FUNCTION audiostore.heartbeat_job(bigint, text, interval, bigint) IS
    'The claimant is still at work: the lease runs from now again; returns its end. Give claim, the number that '
    'claim_jobs() returned, where workers may share a name. Errors: 42704 when there is no such job, 55000 when the '
    'claim is lost, 22023 for a lease out of range';

CREATE FUNCTION audiostore.complete_job(
    id bigint, worker text, result jsonb DEFAULT NULL, claim bigint DEFAULT NULL) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job CONSTANT audiostore.jobs :=
        audiostore.lock_claimed_job(complete_job.id, complete_job.worker, complete_job.claim);
BEGIN
    IF job.state = 'done' THEN
        RETURN false;
    ELSIF job.state <> 'running' THEN
        PERFORM audiostore.refuse_lost_claim(job);
    END IF;
    UPDATE audiostore.jobs j
    SET state = 'done', result = complete_job.result, leased_until = NULL, finished_at = clock_timestamp()
    WHERE j.id = job.id;
    RETURN true;
END
$$;
COMMENT ON FUNCTION audiostore.complete_job(bigint, text, jsonb, bigint) IS
    'The job is done; true. Once more by the same claimant changes nothing and returns false. A lease that has ended '
    'does not matter as long as nobody else has claimed the job or given it up. Errors: 42704 when there is no such '
    'job, 55000 when the claim is lost';

CREATE FUNCTION audiostore.fail_job(
    id bigint, worker text, error text, retry boolean DEFAULT true, claim bigint DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    longest CONSTANT double precision := 900;
    job CONSTANT audiostore.jobs := audiostore.lock_claimed_job(fail_job.id, fail_job.worker, fail_job.claim);
    gives_up CONSTANT boolean := NOT coalesce(retry, true) OR job.attempts >= job.max_attempts;
BEGIN
    IF job.state IN ('pending', 'dead') THEN
        RETURN job.state;
    ELSIF job.state <> 'running' THEN
        PERFORM audiostore.refuse_lost_claim(job);
    END IF;
    -- Full jitter: many that failed together do not come back together.
    UPDATE audiostore.jobs j
    SET state = CASE WHEN gives_up THEN 'dead' ELSE 'pending' END, leased_until = NULL,
        last_error = coalesce(fail_job.error, 'no reason given'),
        not_before = clock_timestamp()
            + random() * least(longest, 2 * 2 ^ least(job.attempts - 1, 30)) * interval '1 second',
        finished_at = CASE WHEN gives_up THEN clock_timestamp() END
    WHERE j.id = job.id;
    RETURN CASE WHEN gives_up THEN 'dead' ELSE 'pending' END;
END
$$;
COMMENT ON FUNCTION audiostore.fail_job(bigint, text, text, boolean, bigint) IS
    'The attempt failed. The job is pending again, after a random time between 0 and 2 s x 2^(attempts - 1), at most 15 '
    'minutes; or dead when it has had max_attempts, or at once where retry is false. Returns its state; once more by the '
    'same claimant changes nothing. Errors: 42704 when there is no such job, 55000 when the claim is lost or the job is done';

CREATE FUNCTION audiostore.release_job(id bigint, worker text, claim bigint DEFAULT NULL) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job CONSTANT audiostore.jobs :=
        audiostore.lock_claimed_job(release_job.id, release_job.worker, release_job.claim);
BEGIN
    IF job.state = 'pending' THEN
        RETURN false;
    ELSIF job.state <> 'running' THEN
        PERFORM audiostore.refuse_lost_claim(job);
    END IF;
    UPDATE audiostore.jobs j
    SET state = 'pending', attempts = j.attempts - 1, leased_until = NULL
    WHERE j.id = job.id;
    PERFORM pg_notify('audiostore_jobs', job.job_type);
    RETURN true;
END
$$;
COMMENT ON FUNCTION audiostore.release_job(bigint, text, bigint) IS
    'Gives a claimed job back untried, as a worker does that is asked to end: the attempt does not count, and the job is '
    'due at once; true, or false when it was given back already. Errors as for complete_job()';

-- Looked for rather than run into: nobody waits in the unique index for a claim that is about to be committed.
CREATE FUNCTION audiostore.refuse_twin(job audiostore.jobs) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM audiostore.jobs j
               WHERE j.job_type = job.job_type AND j.unique_key = job.unique_key AND j.state IN ('pending', 'running')
                     AND j.unique_key IS NOT NULL AND j.id <> job.id) THEN
        RAISE EXCEPTION 'job % has a successor', job.id USING ERRCODE = 'unique_violation',
            DETAIL = format('Another job of the type %s with the unique key "%s" is pending or running.', job.job_type,
                            job.unique_key);
    END IF;
END
$$;
COMMENT ON FUNCTION audiostore.refuse_twin(audiostore.jobs) IS
    'Raises 23505 where another job with this unique_key is pending or running';

CREATE FUNCTION audiostore.retry_job(id bigint) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    job audiostore.jobs;
BEGIN
    SELECT * INTO job FROM audiostore.jobs j WHERE j.id = retry_job.id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'job % does not exist', retry_job.id USING ERRCODE = 'undefined_object';
    END IF;
    IF job.state NOT IN ('pending', 'dead') THEN
        RAISE EXCEPTION 'job % is %', job.id, job.state USING ERRCODE = 'object_in_use',
            HINT = 'Jobs that are pending or dead can be retried.';
    END IF;
    PERFORM audiostore.refuse_twin(job);
    UPDATE audiostore.jobs j
    SET state = 'pending', attempts = 0, not_before = clock_timestamp(), finished_at = NULL
    WHERE j.id = job.id;
    PERFORM pg_notify('audiostore_jobs', job.job_type);
    RETURN true;
END
$$;
COMMENT ON FUNCTION audiostore.retry_job(bigint) IS
    'Makes a dead or waiting job due at once, with all its attempts before it; true. Errors: 42704 when there is no such '
    'job, 55006 while it is running or when it is done, 23505 when another job with its unique_key is pending';
REVOKE ALL ON FUNCTION audiostore.notify_jobs() FROM PUBLIC;
