-- Policies: old objects of a store go, those that somebody needs stay.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
SELECT current_setting('data_directory') || '/regress-policies' AS root,
       'cat >/dev/null; cd "' || current_setting('data_directory') || '" && rm -rf regress-policies && mkdir -p'
       || ' regress-policies/images/sub regress-policies/images2 regress-policies/held && cd regress-policies &&'
       || ' for f in images/old images/sub/old images2/old held/by-row held/by-nobody held/to-be-put held/to-be-moved-to;'
       || ' do printf 12345 >$f; touch -d "3 days ago" $f; done; printf 1 >images/young; touch -d "3 days ago" images2/other' AS make_root \gset
COPY (SELECT 1) TO PROGRAM :'make_root';
CREATE SERVER pc FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root');
CREATE SERVER pc_missing FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root '/nonexistent/audiostore');
CREATE VIEW pc_queue AS
    SELECT kind, state, key, reason ~ '^policy \d+$' AS by_policy FROM audiostore.operations WHERE store LIKE 'pc%' ORDER BY key, id;
CREATE PROCEDURE pc_drain() LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        CALL audiostore.run('outbox');
        EXIT WHEN NOT EXISTS (SELECT FROM audiostore.operations WHERE store LIKE 'pc%' AND not_before <= clock_timestamp());
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;

-- What cannot be.
\set VERBOSITY terse
SELECT audiostore.add_expiry_policy('pc', 'images/', '0');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.add_expiry_policy('pc', 'images/', '-1 day');
SELECT audiostore.add_expiry_policy('pc', 'images/', '1 day', '10 milliseconds');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.add_expiry_policy('pc', NULL, '1 day');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.add_expiry_policy('pc', '', NULL);
SELECT audiostore.add_expiry_policy('nowhere', '', '1 day');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.alter_policy(0, '1 day');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.remove_policy(0);
SELECT audiostore.remove_policy(0, if_exists => true);
SELECT audiostore.preview_policy(0);
SELECT audiostore.run_policy(0);
\set VERBOSITY default

-- A prefix is bytes: images/ is not images2/.
SELECT audiostore.add_expiry_policy('pc', 'images/', '2 days') AS images \gset
SELECT audiostore.add_expiry_policy('pc', 'images/', '1 day');
SELECT * FROM audiostore.preview_policy(:images);
SELECT kind, store, prefix, after, schedule, state, last_result FROM audiostore.policy_status WHERE id = :images;
CALL audiostore.run('policies');
SELECT * FROM pc_queue;
SELECT * FROM audiostore.preview_policy(:images);
CALL pc_drain();
SELECT key FROM audiostore.list_objects('pc', 'images') ORDER BY key COLLATE "C";
SELECT state, next_run_at > now() + interval '9 minutes' AS next, last_result, last_rows, last_bytes, last_kept, last_error
FROM audiostore.policy_status WHERE id = :images;
SELECT task = 'policies: expiry ' || :images || ' of store pc' AS task, rows, bytes, error, finished_at IS NOT NULL AS finished
FROM audiostore.runs WHERE task LIKE 'policies:%' ORDER BY id DESC LIMIT 1;

-- images means both. Not before it is due, and not while it is paused.
SELECT audiostore.add_expiry_policy('pc', 'images', '2 days') AS both \gset
SELECT audiostore.alter_policy(:both, enabled => false);
CALL audiostore.run('policies');
SELECT * FROM pc_queue;
\set VERBOSITY terse
\set VERBOSITY sqlstate
SELECT audiostore.run_policy(:both);
\set VERBOSITY terse
SELECT audiostore.alter_policy(:both, after => '0');
\set VERBOSITY default
SELECT state FROM audiostore.policy_status WHERE id = :both;
SELECT audiostore.alter_policy(:both, after => '4 days', enabled => true);
CALL audiostore.run('policies');
SELECT * FROM pc_queue;
SELECT audiostore.alter_policy(:both, '2 days', '1 hour');
CALL audiostore.run('policies');
SELECT * FROM pc_queue;
CALL pc_drain();
SELECT key FROM audiostore.list_objects('pc', 'images') ORDER BY key COLLATE "C";
SELECT after, schedule, state, last_rows FROM audiostore.policy_status WHERE id = :both;

-- What a live row holds stays, and so does what is about to be written.
CREATE TABLE pc_rows (id integer PRIMARY KEY, key text, gone boolean NOT NULL DEFAULT false);
SELECT audiostore.track('pc_rows', 'key', store => 'pc', live_when => 'NOT gone');
INSERT INTO pc_rows VALUES (1, 'held/by-row');
SELECT audiostore.put_object('pc', 'held/to-be-put', 'young') IS NOT NULL AS put,
       audiostore.copy_object('pc', 'images/young', 'pc', 'held/to-be-moved-to') IS NOT NULL AS copied;
SELECT audiostore.add_expiry_policy('pc', 'held/', '2 days') AS held \gset
SELECT * FROM audiostore.preview_policy(:held);
CALL audiostore.run('policies');
SELECT * FROM pc_queue;
SELECT last_rows, last_kept FROM audiostore.policy_status WHERE id = :held;
-- A row that comes to hold the key takes the delete back.
INSERT INTO pc_rows VALUES (2, 'held/by-nobody');
CALL pc_drain();
SELECT key FROM audiostore.list_objects('pc', 'held/') ORDER BY key COLLATE "C";
UPDATE pc_rows SET gone = true WHERE id = 1;
CALL pc_drain();
SELECT key FROM audiostore.list_objects('pc', 'held/') ORDER BY key COLLATE "C";

-- Rolled back, it is nothing; removed, it is over.
BEGIN;
SELECT audiostore.alter_policy(:held, after => '1 microsecond');
ROLLBACK;
SELECT audiostore.run_policy(:held);
CALL audiostore.run('policies');
SELECT count(*) FROM pc_queue;
SELECT audiostore.remove_policy(:held);
SELECT count(*) FROM audiostore.policy_status WHERE id = :held;

-- A store that fails is tried again later, and says so.
SELECT audiostore.add_expiry_policy('pc_missing', '', '1 day', '1 second') AS missing \gset
CALL audiostore.run('policies');
SELECT state, last_result, last_rows, last_error, next_run_at > now() + interval '9 seconds' AS later
FROM audiostore.policy_status WHERE id = :missing;
SELECT name, subject = :'missing' AS subject, regexp_replace(message, '\d+', 'N') FROM audiostore.alerts WHERE name = 'policy_failed' AND cleared_at IS NULL;
SELECT error FROM audiostore.runs WHERE task LIKE 'policies:%' ORDER BY id DESC LIMIT 1;
ALTER SERVER pc_missing OPTIONS (SET root :'root', ADD prefix 'held');
SELECT audiostore.run_policy(:missing);
CALL audiostore.run('policies');
SELECT last_result, last_error FROM audiostore.policy_status WHERE id = :missing;
SELECT count(*) FROM audiostore.alerts WHERE name = 'policy_failed' AND cleared_at IS NULL;
SELECT audiostore.remove_policy(:missing);

-- Of another database's store nothing goes.
SELECT audiostore.add_expiry_policy('pc', 'images/young', '1 microsecond') AS stranger \gset
UPDATE audiostore.store_claims SET database_name = 'elsewhere', database_oid = 1 WHERE store = 'pc';
CALL audiostore.run('policies');
SELECT last_error FROM audiostore.policy_status WHERE id = :stranger;
SELECT count(*) FROM pc_queue;
SELECT audiostore.claim_store('pc');
SELECT audiostore.remove_policy(:stranger);

-- Privileges: ownership of the server, and nothing of anybody else's.
CREATE ROLE pc_user;
GRANT USAGE ON FOREIGN SERVER pc TO pc_user;
GRANT SELECT ON pc_queue TO pc_user;
SET ROLE pc_user;
\set VERBOSITY terse
SELECT audiostore.add_expiry_policy('pc', '', '1 day');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM audiostore.policy_status;
\set VERBOSITY sqlstate
SELECT audiostore.alter_policy(:images, enabled => false);
SELECT audiostore.remove_policy(:images, true);
SELECT audiostore.run_policy(:images);
SELECT audiostore.preview_policy(:images);
SELECT count(*) FROM audiostore.policies;
RESET ROLE;
GRANT USAGE ON FOREIGN DATA WRAPPER audiostore TO pc_user;
GRANT pg_read_server_files, pg_write_server_files TO pc_user;
ALTER SERVER pc OWNER TO pc_user;
SET ROLE pc_user;
SELECT audiostore.add_expiry_policy('pc', 'images/young', '1 microsecond') AS mine \gset
SELECT count(*) FROM audiostore.policy_status;
RESET ROLE;
-- Its owner does not own the store any more: nothing goes.
ALTER SERVER pc OWNER TO CURRENT_USER;
CALL audiostore.run('policies');
SELECT regexp_replace(last_error, '\d+', 'N') FROM audiostore.policy_status WHERE id = :mine;
SELECT count(*) FROM pc_queue;
\set VERBOSITY default

SELECT audiostore.remove_policy(id) FROM audiostore.policies;
SELECT count(*) FROM audiostore.alerts WHERE name = 'policy_failed' AND cleared_at IS NULL;
DROP TABLE pc_rows;
CALL pc_drain();
DROP VIEW pc_queue;
DROP PROCEDURE pc_drain();
DROP SERVER pc;
DROP SERVER pc_missing;
REVOKE USAGE ON FOREIGN DATA WRAPPER audiostore FROM pc_user;
DROP ROLE pc_user;
