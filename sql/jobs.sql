-- Jobs: enqueued, claimed in order, settled, retried, given up, and what a claimant hears that has lost its lease.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
CREATE SCHEMA jobs_test;
SET search_path = jobs_test;
RESET client_min_messages;
-- The error of a statement, with ids and times made equal
CREATE FUNCTION error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'none';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN regexp_replace(regexp_replace(concat_ws(E'\n', sqlstate || ': ' || message, nullif(detail, ''), nullif(hint, '')),
        'job \d+', 'job N', 'g'), '\d{4}-\d\d-\d\d [0-9:.+]+', 'TIME', 'g');
END
$$;
CREATE FUNCTION job(which text) RETURNS bigint STABLE LANGUAGE sql AS $$
    SELECT id FROM audiostore.jobs WHERE payload ->> 'name' = which
$$;
CREATE FUNCTION add(which text, job_type text, priority int DEFAULT 0, not_before timestamptz DEFAULT now(), max_attempts int DEFAULT 5)
RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM audiostore.enqueue_job(job_type, jsonb_build_object('name', which), priority, not_before, max_attempts);
    RETURN which;
END
$$;
CREATE VIEW queue AS
    SELECT payload ->> 'name' AS name, job_type, priority, state, attempts, claim, worker, leased_until > now() AS leased,
           result, last_error, finished_at IS NOT NULL AS finished
    FROM audiostore.jobs WHERE job_type LIKE 'jt\_%' ORDER BY id;

-- Enqueueing
SELECT add('low', 'jt_a'), add('high', 'jt_a', 5), add('later', 'jt_a', 9, now() + interval '1 hour'), add('other', 'jt_b', 2),
       add('second', 'jt_a');
SELECT name, job_type, priority, state, attempts, claim FROM queue;
SELECT audiostore.enqueue_job('jt_unique', unique_key => 'k') = audiostore.enqueue_job('jt_unique', unique_key => 'k') AS once,
       audiostore.enqueue_job('jt_unique', unique_key => 'k') = audiostore.enqueue_job('jt_unique_2', unique_key => 'k') AS other_type;
SELECT count(*), count(unique_key) FROM audiostore.jobs WHERE job_type LIKE 'jt\_unique%';
SELECT error_of($$SELECT audiostore.enqueue_job(NULL)$$) LIKE '23502%' AS no_type,
       error_of($$SELECT audiostore.enqueue_job('')$$) LIKE '23514%' AS empty_type,
       error_of($$SELECT audiostore.enqueue_job('jt_a', max_attempts => 0)$$) LIKE '23514%' AS no_attempts;

-- Claims: by priority, then by the time since when they are due; of the types asked for; nothing twice
SELECT payload ->> 'name' AS name, state, attempts, claim, worker, leased_until > clock_timestamp() AS leased
FROM audiostore.claim_jobs('{jt_a}', 'one');
SELECT payload ->> 'name' AS name FROM audiostore.claim_jobs('{jt_b,jt_a,jt_none}', 'two', '1 minute', 10);
SELECT count(*) FROM audiostore.claim_jobs('{jt_a,jt_b}', 'three', "limit" => 10);
SELECT count(*) FROM audiostore.claim_jobs('{}', 'three');
SELECT array_agg(DISTINCT t) FROM unnest(audiostore.pending_job_types()) t WHERE t LIKE 'jt\_%';
SELECT error_of($$SELECT audiostore.claim_jobs('{jt_a}', '')$$);
SELECT error_of($$SELECT audiostore.claim_jobs('{jt_a}', 'one', '0 seconds')$$);
SELECT error_of($$SELECT audiostore.claim_jobs('{jt_a}', 'one', '1 month')$$);
SELECT error_of($$SELECT audiostore.claim_jobs('{jt_a}', 'one', "limit" => 0)$$);

-- Settling
SELECT audiostore.complete_job(job('high'), 'one', '{"answer": 42}'), audiostore.complete_job(job('high'), 'one', '{}', 1);
SELECT audiostore.fail_job(job('low'), 'two', 'no luck'), audiostore.fail_job(job('low'), 'two', 'again');
SELECT audiostore.fail_job(job('second'), 'two', 'hopeless', false, 1);
SELECT audiostore.heartbeat_job(job('other'), 'two', '1 hour') > now() + interval '59 minutes' AS prolonged;
SELECT audiostore.release_job(job('other'), 'two', 1), audiostore.release_job(job('other'), 'two', 1);
TABLE queue;
SELECT error_of(format('SELECT audiostore.complete_job(%s, %L)', job('low'), 'two'));
SELECT error_of(format('SELECT audiostore.complete_job(%s, %L)', job('high'), 'two'));
SELECT error_of(format('SELECT audiostore.fail_job(%s, %L, %L)', job('high'), 'one', 'x'));
SELECT error_of(format('SELECT audiostore.heartbeat_job(%s, %L)', job('second'), 'two'));
SELECT error_of($$SELECT audiostore.complete_job(-1, 'one')$$);

-- Backoff: within 2 s x 2^(attempts - 1), and 15 minutes
SELECT count(add('backoff ' || n, 'jt_backoff', max_attempts => 99)) FROM generate_series(1, 100) n;
UPDATE audiostore.jobs SET attempts = CASE WHEN id % 2 = 0 THEN 3 ELSE 80 END - 1 WHERE job_type = 'jt_backoff';
SELECT count(audiostore.fail_job(id, 'one', 'x', claim => claim)) FROM audiostore.claim_jobs('{jt_backoff}', 'one', "limit" => 100);
SELECT attempts, max(not_before) <= clock_timestamp() + least(2 * 2 ^ (attempts - 1), 900) * interval '1 second' AS within,
       count(DISTINCT not_before) > 40 AS jittered,
       max(not_before) - min(not_before) > least(2 * 2 ^ (attempts - 1), 900) / 3 * interval '1 second' AS spread
FROM audiostore.jobs WHERE job_type = 'jt_backoff' GROUP BY 1 ORDER BY 1;

-- A lease that ends: the job goes on with the next claimant, and the first one has lost it, whatever its name
SELECT claim FROM audiostore.claim_jobs('{jt_b}', 'slow');
UPDATE audiostore.jobs SET leased_until = clock_timestamp() WHERE id = job('other');
SELECT payload ->> 'name' AS name, attempts, claim, last_error LIKE 'the lease of worker "slow" ended at %' AS told
FROM audiostore.claim_jobs('{jt_b}', 'slow');
SELECT error_of(format('SELECT audiostore.complete_job(%s, %L, claim => 2)', job('other'), 'slow'));
SELECT error_of(format('SELECT audiostore.heartbeat_job(%s, %L, claim => 2)', job('other'), 'slow')) LIKE '55000%' AS refused;
SELECT audiostore.complete_job(job('other'), 'slow', claim => 3);
-- and is dead after its last attempt
SELECT add('crasher', 'jt_crash', max_attempts => 1);
SELECT count(*) FROM audiostore.claim_jobs('{jt_crash}', 'one');
UPDATE audiostore.jobs SET leased_until = clock_timestamp() WHERE id = job('crasher');
SELECT count(*) FROM audiostore.claim_jobs('{jt_crash}', 'two');
SELECT payload ->> 'name' AS name, attempts, regexp_replace(last_error, 'ended at .*', 'ended') AS last_error
FROM audiostore.dead_jobs WHERE job_type LIKE 'jt\_%' ORDER BY id;
SELECT error_of(format('SELECT audiostore.complete_job(%s, %L)', job('crasher'), 'one'))
       ~ 'job N is not running any more\nThe job is dead: the lease of' AS refused;
SELECT audiostore.retry_job(job('crasher'));
SELECT name, state, attempts, finished FROM queue WHERE name = 'crasher';
SELECT error_of(format('SELECT audiostore.retry_job(%s)', job('high')));
SELECT error_of($$SELECT audiostore.retry_job(-1)$$);
SELECT audiostore.enqueue_job('jt_unique', unique_key => 'k') AS first \gset
UPDATE audiostore.jobs SET state = 'dead' WHERE id = :first;
SELECT audiostore.enqueue_job('jt_unique', unique_key => 'k') <> :first AS another;
SELECT error_of(format('SELECT audiostore.retry_job(%s)', :first));

-- Old done jobs are removed with the history
UPDATE audiostore.jobs SET finished_at = now() - interval '100 days' WHERE id IN (job('high'), job('second'));
CALL audiostore.run();
SELECT name, state FROM queue WHERE name IN ('high', 'second', 'other');

-- Nothing for everybody
SELECT has_table_privilege('public', 'audiostore.jobs', 'SELECT') AS jobs, has_table_privilege('public', 'audiostore.dead_jobs', 'SELECT') AS dead;
CREATE ROLE jobs_test_app;
SET ROLE jobs_test_app;
\set VERBOSITY terse
SELECT audiostore.enqueue_job('jt_a');
RESET ROLE;
GRANT SELECT, INSERT, UPDATE ON audiostore.jobs TO jobs_test_app;
SET ROLE jobs_test_app;
SELECT audiostore.enqueue_job('jt_app') > 0 AS queued;
SELECT audiostore.complete_job(id, 'app', claim => claim) FROM audiostore.claim_jobs('{jt_app}', 'app');
RESET ROLE;

DELETE FROM audiostore.jobs WHERE job_type LIKE 'jt\_%';
DROP OWNED BY jobs_test_app;
DROP ROLE jobs_test_app;
SET client_min_messages = warning;
DROP SCHEMA jobs_test CASCADE;
