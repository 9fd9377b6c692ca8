-- Audits: what a store has against what rows say.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
SELECT current_setting('data_directory') || '/regress-audit' AS root,
       current_setting('data_directory') || '/regress-audit-backup' AS backup,
       'cat >/dev/null; cd "' || current_setting('data_directory') || '" && rm -rf regress-audit regress-audit-backup && mkdir -p'
       || ' regress-audit/images/sub regress-audit/images2 regress-audit/.audiostore-tmp regress-audit-backup/images && cd regress-audit &&'
       || ' for f in images/held images/orphan images/sub/orphan images/short images/let-go images2/orphan images/queued images/moved;'
       || ' do printf 12345 >$f; touch -d "3 days ago" $f; done; printf 1 >images/young;'
       || ' printf 12 >.audiostore-tmp/unfinished; touch -d "3 hours ago" .audiostore-tmp/unfinished;'
       || ' printf saved >../regress-audit-backup/images/gone; touch -d "3 days ago" ../regress-audit-backup/images/gone' AS make_root,
       'cat >/dev/null; cd "' || current_setting('data_directory') || '/regress-audit" && mkdir bulk && cd bulk'
       || ' && for i in $(seq 1000 2199); do printf 1 >$i; done && touch -d "3 days ago" *' AS make_bulk \gset
COPY (SELECT 1) TO PROGRAM :'make_root';
CREATE SERVER au FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root', delete_grace '1 hour');
CREATE SERVER au_backup FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'backup');
CREATE SERVER au_missing FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root '/nonexistent/audiostore');
CREATE TABLE au_songs (id int PRIMARY KEY, path text, bytes int, sha text, note text DEFAULT 'live');
SELECT audiostore.track('au_songs', 'path', store => 'au', size_column => 'bytes', live_when => $$note <> 'deleted'$$,
                        checksum_column => 'sha');
INSERT INTO au_songs VALUES
    (1, 'images/held', 5, '5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5'),
    (2, 'images/gone', 7, NULL), (3, 'images/gone', 7, NULL), (4, 'images/short', 6, NULL),
    (5, 'images/not-yet', 3, NULL), (6, 'elsewhere/gone', 1, NULL);
INSERT INTO au_songs (id, path, note) VALUES (7, 'images/never', 'deleted');
SELECT audiostore.put_object('au', 'images/not-yet', 'abc') > 0 AS put, audiostore.delete_object('au', 'images/let-go') > 0 AS deleted,
       audiostore.put_object('au', 'images/queued', 'abc') > 0 AS put_again, audiostore.move_object('au', 'images/moved', 'au', 'images/moved-to') > 0 AS moved;
INSERT INTO au_songs (id, path) VALUES (8, 'images/moved-to');

CREATE PROCEDURE au_run(what text) LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        CALL audiostore.run(what);
        EXIT WHEN NOT EXISTS (SELECT FROM audiostore.operations WHERE store LIKE 'au%' AND not_before <= clock_timestamp())
              AND NOT EXISTS (SELECT FROM audiostore.audits WHERE state IN ('queued', 'running') AND not_before <= clock_timestamp());
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;

-- What cannot be.
\set VERBOSITY terse
SELECT audiostore.audit_store('nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.audit_store('au', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.audit_store('au', min_age => '-1 day');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.audit_store('au', verify => 'md5');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.audit_store('au', verify => 'sha256', sample => 0);
SELECT audiostore.audit_store('au', sample => 'NaN');
SELECT audiostore.start_audit('nowhere');
SELECT audiostore.add_audit_policy('au', schedule => '10 milliseconds');
SELECT audiostore.add_audit_policy('au', min_age => '0');
SELECT audiostore.cancel_audit(0);
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.purge_orphans(0);
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.repair_dangling(0, 'pray');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.repair_dangling(0, 'restore');
\echo :LAST_ERROR_SQLSTATE
SELECT audiostore.repair_dangling(0, 'delete_row', 'au');
\set VERBOSITY default

-- Everything that does not fit, and nothing else: not what is young, not what is queued, not rows that are not live.
CREATE VIEW au_now AS SELECT finding, key, size, relation, detail FROM audiostore.audit_store('au') ORDER BY finding, key COLLATE "C";
SELECT * FROM au_now;
SELECT key, last_modified < now() - interval '2 days' AS old FROM audiostore.audit_store('au') WHERE finding = 'orphaned_object' ORDER BY key COLLATE "C";
-- A prefix means a folder, unless a star says otherwise.
SELECT finding, key FROM audiostore.audit_store('au', 'images') WHERE finding = 'orphaned_object' ORDER BY key COLLATE "C";
SELECT finding, key FROM audiostore.audit_store('au', 'images*') WHERE finding = 'orphaned_object' ORDER BY key COLLATE "C";
SELECT finding, key FROM audiostore.audit_store('au', 'images/sub/') ORDER BY key COLLATE "C";
-- Ages: nothing is a week old; with none at all, the young one counts, and so does the write that did not end.
SELECT finding, key FROM audiostore.audit_store('au', min_age => '7 days') ORDER BY finding, key COLLATE "C";
SELECT finding, key, size FROM audiostore.audit_store('au', min_age => '1 hour') WHERE finding = 'unfinished_upload';
-- Bytes.
SELECT finding, key, detail FROM audiostore.audit_store('au', verify => 'sha256') WHERE finding = 'wrong_bytes';
UPDATE au_songs SET sha = upper(sha) WHERE id = 1;
SELECT finding, key, detail FROM audiostore.audit_store('au', verify => 'sha256') WHERE finding = 'wrong_bytes';
UPDATE au_songs SET sha = repeat('ab', 32) WHERE id = 1;
SELECT finding, key, detail FROM audiostore.audit_store('au', verify => 'sha256') WHERE finding = 'wrong_bytes';
SELECT count(*) FROM audiostore.audit_store('au') WHERE finding = 'wrong_bytes';
-- This transaction's own rows count.
BEGIN;
INSERT INTO au_songs (id, path) VALUES (9, 'images/orphan');
SELECT key FROM au_now WHERE finding = 'orphaned_object';
ROLLBACK;
-- An index in the order of a language, or none at all, changes nothing.
CREATE TABLE au_words (word text COLLATE "en-x-icu" PRIMARY KEY, bytes bigint);
SELECT audiostore.track('au_words', 'word', store => 'au', size_column => 'bytes');
INSERT INTO au_words SELECT 'Wort/' || n, n FROM generate_series(1, 2500) n;
INSERT INTO au_words VALUES ('images/orphan', 5), ('images2/orphan', 4);
SELECT finding, count(*), min(key COLLATE "C"), max(key COLLATE "C") FROM au_now WHERE relation = 'au_words'::regclass GROUP BY 1 ORDER BY 1;
SELECT key FROM au_now WHERE finding = 'orphaned_object';
DROP TABLE au_words;
SELECT audiostore.undelete('au', 'images/orphan') AS back, audiostore.undelete('au', 'images2/orphan') AS back2;
DELETE FROM audiostore.operations WHERE key LIKE 'Wort/%';

-- The same by the worker, or run().
CALL au_run('outbox');
SELECT audiostore.start_audit('au') AS audit \gset
CALL au_run('audits');
SELECT state, complete, objects, bytes, findings, error FROM audiostore.audits WHERE id = :audit;
SELECT finding, key, size, relation, detail, resolution FROM audiostore.audit_findings WHERE audit_id = :audit ORDER BY finding, key;
SELECT name, subject, message ~ '^audit \d+ of store "au" found 2 dangling_row, 3 orphaned_object, 1 size_mismatch' AS told FROM audiostore.alerts
WHERE name LIKE 'audit%' AND subject = 'au' AND cleared_at IS NULL;
SELECT task = 'audits: audit ' || :audit || ' of store au' AS task, rows, error FROM audiostore.runs WHERE task LIKE 'audits:%' ORDER BY id DESC LIMIT 1;
SELECT count(*) FROM audiostore.audit_ranges;

-- A purge needs good reasons.
SET client_min_messages = error;
SELECT key, outcome FROM audiostore.purge_orphans(:audit) ORDER BY key COLLATE "C";
RESET client_min_messages;
SELECT * FROM audiostore.purge_orphans(:audit, dry_run => false);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM audiostore.purge_orphans(:audit, false, 2);
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE au_empty (path text);
SELECT audiostore.track('au_empty', 'path', store => 'au');
SELECT * FROM audiostore.purge_orphans(:audit, false, 1);
DROP TABLE au_empty;
SELECT count(*) FROM audiostore.pending_operations WHERE reason LIKE 'orphan%';
-- What has changed since stays.
INSERT INTO au_songs (id, path) VALUES (9, 'images2/orphan');
SELECT format('cat >/dev/null; printf 123 >"%1$s"; touch -d "2 days ago" "%1$s"', :'root' || '/images/sub/orphan') AS overwrite \gset
COPY (SELECT 1) TO PROGRAM :'overwrite';
SELECT key, size, outcome, operation IS NOT NULL AS operation FROM audiostore.purge_orphans(:audit, false, 1) ORDER BY key COLLATE "C";
SELECT kind, key, reason = 'orphan, audit ' || :audit AS reason, not_before > now() + interval '50 minutes' AS later
FROM audiostore.pending_operations WHERE reason LIKE 'orphan%';
SELECT key, resolution FROM audiostore.audit_findings WHERE audit_id = :audit AND finding = 'orphaned_object' ORDER BY key;
SELECT count(*) FROM audiostore.purge_orphans(:audit, false, 1);
-- Those that are gone by then count as well: many small purges are a large one.
SELECT count(*) FROM audiostore.purge_orphans(:audit, false, 0.01);
SELECT format('cat >/dev/null; touch "%s"', :'root' || '/images/sub/orphan') AS write_again \gset
COPY (SELECT 1) TO PROGRAM :'write_again';
DELETE FROM au_songs WHERE id = 9;

-- Dangling rows: given back, let go, deleted.
SELECT * FROM audiostore.repair_dangling(:audit, 'restore', 'au_backup') ORDER BY key COLLATE "C";
CREATE FUNCTION au_no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
CREATE TRIGGER au_no BEFORE UPDATE ON au_songs FOR EACH ROW WHEN (old.id = 6) EXECUTE FUNCTION au_no();
SELECT * FROM audiostore.repair_dangling(:audit, 'set_null');
DROP TRIGGER au_no ON au_songs;
SELECT * FROM audiostore.repair_dangling(:audit, 'set_null');
SELECT id, path FROM au_songs WHERE id IN (2, 3, 6) ORDER BY id;
SELECT * FROM audiostore.repair_dangling(:audit, 'delete_row');
CALL au_run('outbox');
SELECT convert_from(audiostore.get_object('au', 'images/gone'), 'UTF8');
INSERT INTO au_songs (id, path) VALUES (10, 'images/lost'), (11, 'images/lost'), (12, 'images/back'), (13, 'images/gone');
SELECT audiostore.start_audit('au', 'images') AS audit \gset
CALL au_run('audits');
SELECT finding, key FROM audiostore.audit_findings WHERE audit_id = :audit AND finding = 'dangling_row' ORDER BY key;
SELECT 'cat >/dev/null; printf 1 >"' || :'root' || '/images/back"' AS come_back \gset
COPY (SELECT 1) TO PROGRAM :'come_back';
SELECT key, relation, outcome FROM audiostore.repair_dangling(:audit, 'delete_row') ORDER BY key COLLATE "C";
SELECT id FROM au_songs WHERE id >= 10 ORDER BY id;

-- By schedule.
SELECT audiostore.add_audit_policy('au', 'images', '1 hour', '1 day', 'sha256', 0.5) AS policy \gset
SELECT audiostore.add_audit_policy('au', 'images/');
SELECT kind, store, prefix, after, schedule FROM audiostore.policy_status WHERE id = :policy;
CALL au_run('audits');
SELECT p.state, p.last_result, p.last_rows = a.findings AS findings, p.next_run_at > now() + interval '50 minutes' AS later,
       a.state, a.min_age, a.verify, a.sample
FROM audiostore.policy_status p JOIN audiostore.audits a ON a.policy = p.id WHERE p.id = :policy;
CALL au_run('audits');
SELECT count(*) FROM audiostore.audits WHERE policy = :policy;
\set VERBOSITY sqlstate
SELECT audiostore.preview_policy(:policy);
\set VERBOSITY default
SELECT audiostore.run_policy(:policy);
CALL au_run('audits');
SELECT count(*) FROM audiostore.audits WHERE policy = :policy;
SELECT audiostore.remove_policy(:policy);

-- One that fails says so, and can be given up.
SELECT audiostore.start_audit('au_missing') AS failing \gset
CALL au_run('audits');
SELECT state, complete, error FROM audiostore.audits WHERE id = :failing;
SELECT name, subject FROM audiostore.alerts WHERE name = 'audit_failed' AND cleared_at IS NULL;
SELECT audiostore.cancel_audit(:failing);
\set VERBOSITY sqlstate
SELECT * FROM audiostore.purge_orphans(:failing, dry_run => false);
BEGIN;
SELECT audiostore.start_audit('au') AS unwanted \gset
SELECT audiostore.cancel_audit(:unwanted);
COMMIT;
SELECT * FROM audiostore.purge_orphans(:unwanted, dry_run => false);
\set VERBOSITY default
CALL au_run('audits');
SELECT state FROM audiostore.audits WHERE id = :unwanted;
-- A clean one clears the alert.
SELECT audiostore.start_audit('au_backup', min_age => '7 days') AS clean \gset
SELECT audiostore.start_audit('au_backup') AS dirty \gset
CALL au_run('audits');
SELECT id = :dirty AS dirty, findings FROM audiostore.audits WHERE store = 'au_backup' ORDER BY id;

-- Rights.
CREATE ROLE au_user;
CREATE ROLE au_other;
SET ROLE au_user;
SELECT audiostore.audit_store('au');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER au TO au_user;
INSERT INTO au_songs (id, path) VALUES (20, 'images/secret');
SET ROLE au_user;
SELECT DISTINCT finding FROM audiostore.audit_store('au') ORDER BY 1;
SELECT audiostore.start_audit('au') AS own \gset
RESET ROLE;
CALL au_run('audits');
SET ROLE au_user;
SELECT count(*) FROM audiostore.audits;
SELECT DISTINCT finding FROM audiostore.audit_findings;
SELECT audiostore.purge_orphans(:own);
\set VERBOSITY sqlstate
SELECT audiostore.repair_dangling(:audit, 'delete_row');
\set VERBOSITY default
SELECT key, outcome, detail FROM audiostore.repair_dangling(:own, 'delete_row');
SET ROLE au_other;
SELECT count(*) FROM audiostore.audits;
\set VERBOSITY sqlstate
SELECT audiostore.cancel_audit(:own);
\set VERBOSITY default
RESET ROLE;
GRANT SELECT ON au_songs TO au_user;
SET ROLE au_user;
SELECT DISTINCT finding FROM audiostore.audit_findings ORDER BY 1;
SELECT key, outcome, detail FROM audiostore.repair_dangling(:own, 'delete_row');
RESET ROLE;

-- Objects whose deletes a large statement has queued are on their way out, and no findings.
COPY (SELECT) TO PROGRAM :'make_bulk';
INSERT INTO au_songs (id, path) SELECT i, 'bulk/' || i FROM generate_series(1000, 2199) i;
SELECT count(*) AS findings FROM audiostore.audit_store('au', 'bulk');
DELETE FROM au_songs WHERE id >= 1000;
SELECT count(*) AS packed, (SELECT count(*) FROM audiostore.audit_store('au', 'bulk')) AS findings
FROM audiostore.operation_packs p, audiostore.unpack_keys(p.id, p.keys) WHERE p.store = 'au';
DELETE FROM audiostore.operation_packs WHERE store = 'au';
SELECT finding, count(*) FROM audiostore.audit_store('au', 'bulk') GROUP BY 1;

DROP TABLE au_songs CASCADE;
DROP VIEW au_now;
DROP FUNCTION au_no;
DROP PROCEDURE au_run;
DELETE FROM audiostore.operations WHERE store LIKE 'au%';
DELETE FROM audiostore.audits;
UPDATE audiostore.alerts SET cleared_at = now() WHERE name LIKE 'audit%';
REVOKE ALL ON FOREIGN SERVER au FROM au_user;
DROP ROLE au_user, au_other;
DROP SERVER au, au_backup, au_missing CASCADE;
