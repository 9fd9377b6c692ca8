-- Enqueueing and claiming jobs.
CREATE FUNCTION audiostore.enqueue_job(
    job_type text, payload jsonb DEFAULT '{}', priority integer DEFAULT 0, not_before timestamptz DEFAULT now(),
    max_attempts integer DEFAULT 5, unique_key text DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    job bigint;
BEGIN
    LOOP
        INSERT INTO audiostore.jobs AS j (job_type, payload, priority, not_before, max_attempts, unique_key)
        VALUES (enqueue_job.job_type, coalesce(enqueue_job.payload, '{}'), coalesce(enqueue_job.priority, 0),
                coalesce(enqueue_job.not_before, now()), coalesce(enqueue_job.max_attempts, 5), enqueue_job.unique_key)
        ON CONFLICT (job_type, unique_key) WHERE state IN ('pending', 'running') AND unique_key IS NOT NULL DO NOTHING
        RETURNING j.id INTO job;
        EXIT WHEN job IS NOT NULL;
        SELECT j.id INTO job FROM audiostore.jobs j
        WHERE j.job_type = enqueue_job.job_type AND j.unique_key = enqueue_job.unique_key
              AND j.state IN ('pending', 'running');
        -- The other one was settled in between: this one is new after all.
        EXIT WHEN job IS NOT NULL;
    END LOOP;
    RETURN job;
END
$$;
COMMENT ON FUNCTION audiostore.enqueue_job(text, jsonb, integer, timestamptz, integer, text) IS
    'Adds a job, in the transaction of the caller, and returns its id. It can be claimed after the commit and from '
    'not_before on; higher priorities first. After max_attempts it is dead. Where a pending or running job of the type '
    'has the same unique_key, nothing is added and that job''s id is returned. The commit sends NOTIFY audiostore_jobs '
    'with the type as payload. Errors: 23502 without a type, 23514 for an empty or overlong one (200 characters) and '
    'for max_attempts below 1';

CREATE FUNCTION audiostore.check_lease(worker text, lease interval) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF worker IS NULL OR worker = '' THEN
        RAISE EXCEPTION 'worker must not be empty' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give each claimant a name of its own, such as its host and process id.';
    END IF;
    IF lease IS NULL OR lease < interval '1 second' OR lease > interval '7 days' THEN
        RAISE EXCEPTION 'lease must be between 1 second and 7 days' USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;
COMMENT ON FUNCTION audiostore.check_lease(text, interval) IS
    'Refuses (22023) an empty worker name, and leases that are not between 1 second and 7 days';

-- A claimant that did not settle in time has crashed, or hangs: its job goes on, or has had its last attempt.
CREATE FUNCTION audiostore.end_leases(types text[]) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ended bigint;
BEGIN
    UPDATE audiostore.jobs j
    SET state = CASE WHEN j.attempts >= j.max_attempts THEN 'dead' ELSE 'pending' END,
        not_before = clock_timestamp(), leased_until = NULL,
        finished_at = CASE WHEN j.attempts >= j.max_attempts THEN clock_timestamp() END,
        last_error = format('the lease of worker "%s" ended at %s', j.worker, j.leased_until)
    WHERE j.id = ANY (ARRAY(
        SELECT r.id FROM audiostore.jobs r
        WHERE r.state = 'running' AND r.job_type = ANY (types) AND r.leased_until < clock_timestamp()
        ORDER BY r.id LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED));
    GET DIAGNOSTICS ended = ROW_COUNT;
    RETURN ended;
END
$$;
COMMENT ON FUNCTION audiostore.end_leases(text[]) IS
    'Gives running jobs of these types whose lease has ended back, or up where they have had all their attempts, 100 at '
    'most; returns their number. claim_jobs() does it by itself';

CREATE FUNCTION audiostore.pending_job_types() RETURNS text[]
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE pending AS (
        SELECT min(job_type) AS job_type FROM audiostore.jobs WHERE state = 'pending'
        UNION ALL
        SELECT (SELECT min(j.job_type) FROM audiostore.jobs j WHERE j.state = 'pending' AND j.job_type > p.job_type)
        FROM pending p WHERE p.job_type IS NOT NULL
    ), running AS (
        SELECT min(job_type) AS job_type FROM audiostore.jobs WHERE state = 'running'
        UNION ALL
        SELECT (SELECT min(j.job_type) FROM audiostore.jobs j WHERE j.state = 'running' AND j.job_type > r.job_type)
        FROM running r WHERE r.job_type IS NOT NULL
    )
    SELECT coalesce(array_agg(job_type ORDER BY job_type), '{}')
    FROM (SELECT job_type FROM pending UNION SELECT job_type FROM running) AS found
    WHERE job_type IS NOT NULL
$$;
COMMENT ON FUNCTION audiostore.pending_job_types() IS
    'Types of the jobs that are pending or running, found without reading all of them';

CREATE FUNCTION audiostore.claim_jobs(
    types text[], worker text, lease interval DEFAULT '5 minutes', "limit" integer DEFAULT 1)
    RETURNS SETOF audiostore.jobs
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted CONSTANT text[] := coalesce(types, audiostore.pending_job_types());
    level bigint := 2147483648;
    due_at timestamptz;
    remaining integer := coalesce("limit", 1);
    claimed integer;
BEGIN
    PERFORM audiostore.check_lease(claim_jobs.worker, claim_jobs.lease);
    IF remaining NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION 'limit must be between 1 and 10000' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM audiostore.end_leases(wanted);
    due_at := clock_timestamp();
    LOOP
        -- The next lower priority that any of the types has.
        SELECT max(found.priority) INTO level
        FROM unnest(wanted) AS w (job_type)
        CROSS JOIN LATERAL (
            SELECT j.priority FROM audiostore.jobs j
            WHERE j.state = 'pending' AND j.job_type = w.job_type AND j.priority < level
            ORDER BY j.priority DESC LIMIT 1) AS found;
        EXIT WHEN level IS NULL;
        RETURN QUERY
        WITH chosen AS MATERIALIZED (
            SELECT c.id
            FROM unnest(wanted) AS w (job_type)
            CROSS JOIN LATERAL (
                SELECT j.id, j.not_before FROM audiostore.jobs j
                WHERE j.state = 'pending' AND j.job_type = w.job_type AND j.priority = level AND j.not_before <= due_at
                ORDER BY j.not_before, j.id LIMIT remaining FOR NO KEY UPDATE SKIP LOCKED) AS c
            ORDER BY c.not_before, c.id LIMIT remaining
        ), taken AS (
            UPDATE audiostore.jobs j
            SET state = 'running', attempts = j.attempts + 1, claim = j.claim + 1, worker = claim_jobs.worker,
                started_at = clock_timestamp(), leased_until = clock_timestamp() + claim_jobs.lease
            WHERE j.id = ANY (ARRAY(SELECT chosen.id FROM chosen))
            RETURNING j.*
        )
        SELECT * FROM taken ORDER BY taken.not_before, taken.id;
        GET DIAGNOSTICS claimed = ROW_COUNT;
        remaining := remaining - claimed;
        EXIT WHEN remaining <= 0;
    END LOOP;
END
$$;
COMMENT ON FUNCTION audiostore.claim_jobs(text[], text, interval, integer) IS
    'Hands out up to limit (1 to 10000) jobs of these types (NULL: of all) that are due: highest priority first, then the '
    'one that has been due longest. Claimants pass over what others are claiming, and never wait. The attempt is counted '
    'here; the lease (1 second to 7 days) runs from now, so commit at once. Jobs whose lease has ended are given back '
    'first, or are dead where they have had all their attempts. The column claim of the result is the number that '
    'complete_job(), heartbeat_job(), fail_job() and release_job() compare. Errors: 22023 for an empty worker name, or a lease or limit '
    'out of range';
