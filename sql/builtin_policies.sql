-- Policies for the tables of the extension: off until enabled; the cache of processing results; what may be archived.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS audiostore;
RESET client_min_messages;
SELECT current_setting('data_directory') AS data \gset
SELECT :'data' || '/regress-builtin' AS root, format('cat >/dev/null; mkdir -p %1$s/regress-builtin/cold', :'data') AS make_root \gset
COPY (SELECT 1) TO PROGRAM :'make_root';
SELECT :'root' || '/cold' AS cold \gset
CREATE SERVER builtin_cold FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'cold');
CREATE SERVER builtin FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root', archive_store 'builtin_cold');
SET audiostore.default_store = 'builtin';
SELECT name, part, kind, relation, after, age_column, assignments, enabled FROM audiostore.builtin_policies ORDER BY name, part;
SELECT audiostore.enable_policy('nothing');
SELECT audiostore.disable_policy('nothing');
SELECT audiostore.disable_policy('final_audio');
-- All of them can be enabled, and disabled.
SELECT name, count(*) FROM (SELECT DISTINCT name FROM audiostore.builtin_policies) b, audiostore.enable_policy(name) GROUP BY name ORDER BY name;
SELECT count(*) FROM audiostore.builtin_policies WHERE NOT enabled;
SELECT count(*) FROM audiostore.enable_policy('final_audio');
SELECT name, audiostore.disable_policy(name) FROM (SELECT DISTINCT name FROM audiostore.builtin_policies) b ORDER BY name;
SELECT count(*) FROM audiostore.builtin_policies WHERE enabled;

-- Radio: aired segments become archived, and their speech goes with the last of them.
INSERT INTO audiostore.assets (id, kind, state, storage_path, created_at, mastered_at) SELECT ('00000000-0000-0000-0000-00000000010' || n)::uuid,
    CASE n WHEN 4 THEN 'music' ELSE 'speech' END, 'final', 'final/' || n, now() - interval '40 days', now() - interval '40 days' FROM generate_series(1, 4) n;
INSERT INTO audiostore.segments (title, state, asset_id, aired_at) VALUES
    ('long ago', 'aired', '00000000-0000-0000-0000-000000000101', now() - interval '31 days'),
    ('of late', 'aired', '00000000-0000-0000-0000-000000000102', now() - interval '29 days'),
    ('both', 'aired', '00000000-0000-0000-0000-000000000103', now() - interval '31 days'),
    ('both', 'ready', '00000000-0000-0000-0000-000000000103', NULL);
SELECT count(*) FROM audiostore.enable_policy('aired_segments');
CALL audiostore.run('policies');
SELECT count(audiostore.run_policy(id)) FROM audiostore.policies;
CALL audiostore.run('policies');
SELECT title, state FROM audiostore.segments WHERE title IN ('long ago', 'of late', 'both') ORDER BY title, state;
SELECT id, kind, state FROM audiostore.assets WHERE store = 'builtin' ORDER BY id;
SELECT kind, key FROM audiostore.operations WHERE store = 'builtin' ORDER BY key;
SELECT audiostore.disable_policy('aired_segments');
SELECT count(*) FROM audiostore.enable_policy('final_audio');
CALL audiostore.run('policies');
SELECT id, kind, state FROM audiostore.assets WHERE store = 'builtin' ORDER BY id;
SELECT audiostore.disable_policy('final_audio');
DELETE FROM audiostore.segments WHERE title IN ('long ago', 'of late', 'both');
DELETE FROM audiostore.assets WHERE store = 'builtin';
CALL audiostore.run('outbox');

-- Workspaces: each has its own numbers, and none without auto_cleanup.
INSERT INTO audiostore.workspaces (id, name) SELECT ('00000000-0000-0000-0000-00000000020' || n)::uuid, 'workspace ' || n FROM generate_series(1, 3) n;
INSERT INTO audiostore.storage_quotas (workspace_id, retention_days, archive_threshold_days, archive_storage_class, auto_cleanup) VALUES
    ('00000000-0000-0000-0000-000000000201', 100, 10, 'glacier', true), ('00000000-0000-0000-0000-000000000202', 20, NULL, NULL, true),
    ('00000000-0000-0000-0000-000000000203', 5, 1, 'cold', false);
INSERT INTO audiostore.audio_uploads (workspace_id, original_filename, storage_path, file_size, status, uploaded_at)
    SELECT w.id, format('%s-%s', w.name, days), format('u/%s/%s', right(w.name, 1), days), 3, 'completed', now() - days * interval '1 day'
    FROM audiostore.workspaces w, unnest(ARRAY[5, 15, 50, 150]) days WHERE w.name LIKE 'workspace _';
SELECT count(audiostore.put_object('builtin', storage_path, 'abc')) FROM audiostore.audio_uploads WHERE store = 'builtin';
CALL audiostore.run('outbox');
SELECT count(*) FROM audiostore.enable_policy('workspace_retention') a, audiostore.enable_policy('workspace_archive') b;
SELECT p.name, v.rows, v.bytes FROM audiostore.policies p, audiostore.preview_policy(p.id) v ORDER BY p.name;
CALL audiostore.run();
SELECT original_filename, store, storage_path, status, archived_at IS NOT NULL AS archived FROM audiostore.audio_uploads
WHERE store LIKE 'builtin%' ORDER BY original_filename COLLATE "C";
SELECT 'builtin_cold' AS store, key FROM audiostore.list_objects('builtin_cold');
SELECT audiostore.disable_policy('workspace_retention'), audiostore.disable_policy('workspace_archive');
-- Views of uploads.
INSERT INTO audiostore.audio_history (upload_id, created_at) SELECT id, now() - interval '2 days' FROM audiostore.audio_uploads WHERE storage_path = 'u/3/50';
INSERT INTO audiostore.audio_history (upload_id, created_at) SELECT id, now() - n * interval '100 days' FROM audiostore.audio_uploads, generate_series(1, 2) n WHERE storage_path = 'u/3/150';
SELECT original_filename, days_old, processing_status, storage_provider FROM audiostore.archival_candidates WHERE store LIKE 'builtin%' ORDER BY original_filename COLLATE "C";
SELECT current_date - upload_date AS days_ago, daily_bytes, daily_files, cumulative_bytes FROM audiostore.storage_trends
WHERE workspace_id = '00000000-0000-0000-0000-000000000203' ORDER BY upload_date;
-- Chunks of uploads that are marked as deleted.
INSERT INTO audiostore.audio_chunks (upload_id, chunk_index, chunk_path) SELECT id, 0, 'chunk/' || storage_path FROM audiostore.audio_uploads WHERE storage_path LIKE 'u/3/%';
UPDATE audiostore.audio_uploads SET status = 'deleted' WHERE storage_path = 'u/3/5';
SELECT count(*) FROM audiostore.enable_policy('orphaned_chunks');
CALL audiostore.run('policies');
SELECT chunk_path FROM audiostore.audio_chunks WHERE store = 'builtin' ORDER BY 1;
SELECT kind, key FROM audiostore.operations WHERE store = 'builtin' ORDER BY key;
SELECT audiostore.disable_policy('orphaned_chunks');
DELETE FROM audiostore.audio_uploads WHERE store LIKE 'builtin%';
DELETE FROM audiostore.workspaces WHERE name LIKE 'workspace _';
CALL audiostore.run('outbox');

-- Results of processing.
SELECT repeat('a', 64) AS hash \gset
SELECT audiostore.get_processing_result(:'hash', '{"model": "x"}', 'transcription');
SELECT audiostore.set_processing_result(:'hash', '{"model": "x", "language": "en"}', 'transcription', '{"text": "hello"}', 5) IS NOT NULL AS stored;
SELECT audiostore.get_processing_result(:'hash', '{"language": "en", "model": "x"}', 'transcription');
SELECT audiostore.get_processing_result(:'hash', '{"language": "de", "model": "x"}', 'transcription');
SELECT audiostore.set_processing_result(:'hash', '{"model": "x", "language": "en"}', 'transcription', '{"text": "again"}', 5) IS NOT NULL AS stored;
SELECT cache_data, access_count >= 2 AS counted FROM audiostore.file_processing_cache;
SELECT audiostore.set_processing_result(:'hash', NULL, 'summary', '1', 5, ttl => '-1 second') IS NOT NULL AS stored;
SELECT audiostore.get_processing_result(:'hash', '{}', 'summary');
\set VERBOSITY terse
SELECT audiostore.set_processing_result('none', NULL, 'summary', '1', 5);
\set VERBOSITY default
UPDATE audiostore.file_processing_cache SET accessed_at = now() - interval '1 day', access_count = 1 WHERE cache_type = 'transcription';
SELECT audiostore.get_processing_result(:'hash', '{"language": "en", "model": "x"}', 'transcription');
SELECT accessed_at > now() - interval '1 hour' AS noted, access_count FROM audiostore.file_processing_cache WHERE cache_type = 'transcription';
BEGIN READ ONLY;
SELECT audiostore.get_processing_result(:'hash', '{"language": "en", "model": "x"}', 'transcription');
COMMIT;
SELECT count(*) FROM audiostore.enable_policy('processing_cache');
UPDATE audiostore.file_processing_cache SET expires_at = now() - interval '1 minute' WHERE cache_type = 'summary';
CALL audiostore.run('policies');
SELECT cache_type FROM audiostore.file_processing_cache;
UPDATE audiostore.file_processing_cache SET accessed_at = now() - interval '31 days';
SELECT count(audiostore.run_policy(id)) FROM audiostore.policies;
CALL audiostore.run('policies');
SELECT cache_type FROM audiostore.file_processing_cache;
SELECT audiostore.disable_policy('processing_cache');
DELETE FROM audiostore.operations WHERE store LIKE 'builtin%';
DROP SERVER builtin, builtin_cold CASCADE;
