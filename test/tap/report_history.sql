-- A database with a lively history, and with names that would do harm on a page that forgets to escape.
-- Needs :root, an empty directory of the server. Times are relative to now, figures do not depend on chance.
\set hostile '<script>document.title=''owned''</script>'
SELECT set_config('audiostore.default_store', 'media', false) \g /dev/null
CREATE SERVER media FOREIGN DATA WRAPPER audiostore OPTIONS (provider 'local', root :'root', delete_grace '7 days');
CREATE SERVER "it's ""quoted"" <b>&amp;" FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 's3', bucket 'archive-of-the-station', region 'eu-west-1', storage_class 'GLACIER');
CREATE SERVER cold FOREIGN DATA WRAPPER audiostore OPTIONS (provider 's3', bucket 'cold', region 'eu-west-1', storage_class 'STANDARD_IA');

-- Workspaces, among them one for each kind of trouble that a name can make.
INSERT INTO audiostore.workspaces (id, name) VALUES
    ('00000000-0000-0000-0000-000000000001', 'Night Radio'),
    ('00000000-0000-0000-0000-000000000002', :'hostile'),
    ('00000000-0000-0000-0000-000000000003', E'reversed \u202Egpj.3pm\u202C and \u2066isolated'),
    ('00000000-0000-0000-0000-000000000004', 'إذاعة الليل ١٢٣'),
    ('00000000-0000-0000-0000-000000000005', E'bell \x07 escape \x1b[31mred\x1b[0m ]]> -->'),
    ('00000000-0000-0000-0000-000000000006', '夜のラジオ 🎙️'),
    ('00000000-0000-0000-0000-000000000007', repeat('a-name-without-any-space-', 12));
INSERT INTO audiostore.workspaces (name) SELECT 'Tenant ' || n FROM generate_series(1, 60) n;
INSERT INTO audiostore.storage_quotas (workspace_id, max_storage_bytes, max_file_count, current_storage_bytes, current_file_count,
        monthly_uploads, max_monthly_uploads)
    SELECT id, 50e9, 10000, CASE WHEN n < 8 THEN (1.04 - n * 0.055) * 50e9 ELSE 50e9 / n END, 10000 / (n + 1), n, 1000
    FROM (SELECT id, row_number() OVER (ORDER BY id::text LIKE '00000000%' DESC, id) AS n FROM audiostore.workspaces) w;
SELECT audiostore.initiate_chunked_upload('under way.wav', 300000000, workspace_id => '00000000-0000-0000-0000-000000000001') \g /dev/null

-- Rows of tracked columns.
CREATE TABLE recordings (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, path text, bytes bigint, storage_class text,
    recorded_at timestamptz NOT NULL, state text NOT NULL DEFAULT 'live');
SELECT audiostore.track('recordings', 'path', 'media', size_column => 'bytes', live_when => 'state <> ''gone''');
INSERT INTO recordings (path, bytes, recorded_at)
    SELECT 'recordings/' || n || '.wav', 5e6 + n % 977 * 1e5, now() - n * interval '11 minutes' FROM generate_series(1, 20000) n;
CREATE TABLE masters (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, path text, bytes bigint, storage_class text,
    made_at timestamptz NOT NULL DEFAULT now());
SELECT audiostore.track('masters', 'path', 'it''s "quoted" <b>&amp;', size_column => 'bytes');
INSERT INTO masters (path, bytes, storage_class)
    SELECT 'masters/' || n || '.flac', 4e7, CASE n % 3 WHEN 0 THEN 'DEEP_ARCHIVE' ELSE NULL END FROM generate_series(1, 3000) n;
CREATE TABLE "previews ""of"" things" (path text, bytes bigint);
SELECT audiostore.track('"previews ""of"" things"', 'path', 'cold', size_column => 'bytes');
INSERT INTO "previews ""of"" things" SELECT 'previews/' || n || '.mp3', 300000 + n FROM generate_series(1, 8000) n;
INSERT INTO audiostore.audio_uploads (workspace_id, original_filename, file_size, store, storage_path)
    SELECT w.id, coalesce(w.name, 'x') || n || '.wav', 7000000, 'media', 'uploads/' || w.id || '/' || n
    FROM audiostore.workspaces w, generate_series(1, 20) n;

-- Policies: one that works, one that fails, one that passes rows over, one that is off.
SELECT audiostore.add_expiry_policy('media', 'scratch/', '1 hour') AS scratch,
       audiostore.add_expiry_policy('it''s "quoted" <b>&amp;', '</td><img src=x onerror=alert(1)>', '7 days') AS failing,
       audiostore.add_retention_policy('recordings', '30 days', 'recorded_at', condition => 'state <> ''<script>''') AS retention,
       audiostore.add_retention_policy('masters', '7 days', 'made_at', action => 'set', assignments => '{"path": null}') AS off \gset
SELECT audiostore.alter_policy(:off, enabled => false);
UPDATE audiostore.policies SET last_run_at = now() - interval '12 minutes', last_finished_at = now() - interval '11 minutes',
    last_rows = 4210, last_bytes = 12345678901, last_kept = 0, next_run_at = now() + interval '48 minutes' WHERE id = :scratch;
UPDATE audiostore.policies SET last_run_at = now() - interval '3 hours', last_finished_at = now() - interval '3 hours' + interval '2 s',
    last_rows = 0, last_bytes = 0, failures = 7, next_run_at = now() + interval '10 minutes',
    last_error = E'could not list store: AccessDenied <Error><Code>AccessDenied</Code></Error> ]]>\nrequest \u202E0987\x01'
    WHERE id = :failing;
UPDATE audiostore.policies SET last_run_at = now() - interval '40 minutes', last_finished_at = now() - interval '38 minutes',
    last_rows = 1200, last_bytes = 98765432101, last_kept = 3, next_run_at = now() + interval '20 minutes',
    last_row_error = 'update or delete on table "recordings" violates foreign key constraint "plays_recording_fkey"'
    WHERE id = :retention;

SELECT coalesce(to_regclass('audiostore.operation_rows'), 'audiostore.operations') AS queue \gset
-- The outbox: deletes in their grace period, some that are due, and the dead.
INSERT INTO :queue (kind, store, key, reason, enqueued_at, not_before)
    SELECT 'delete', 'media', 'old/' || n, 'row deleted', now() - n * interval '3 minutes', now() + interval '7 days' - n * interval '3 minutes'
    FROM generate_series(1, 1400) n;
INSERT INTO :queue (kind, store, key, payload, enqueued_at, not_before)
    SELECT 'put', 'media', 'new/' || n, decode(repeat('00', 2000), 'hex'), now() - interval '50 minutes', now() - interval '50 minutes' FROM generate_series(1, 12) n;
INSERT INTO :queue (kind, store, key, state, attempts, not_before, enqueued_at, last_error)
    SELECT 'delete', 'it''s "quoted" <b>&amp;', 'gone/' || n || :'hostile', 'dead', 12, 'infinity', now() - n * interval '1 day',
           E'HTTP 403 ]]> <b>AccessDenied</b>\x02\u202Etxt.exe'
    FROM generate_series(1, 23) n;
INSERT INTO :queue (kind, store, key, target_store, target, state, attempts, not_before, enqueued_at, last_error)
    VALUES ('copy', 'media', 'a', 'cold', 'b', 'dead', 12, 'infinity', now() - interval '5 hours', NULL);

-- Runs of a month, with failures; one is under way.
INSERT INTO audiostore.runs (task, started_at, finished_at, rows, bytes, error)
    SELECT (ARRAY['policies', 'policy 1: expiry', 'accounting', 'cache', 'history'])[1 + n % 5], now() - n * interval '20 minutes',
           now() - n * interval '20 minutes' + (n * 37 % 9000 + 12) * interval '1 ms', n * 13 % 500, n::bigint * 1000003,
           CASE WHEN n % 211 = 100 THEN E'could not connect to "media": timeout <i>\n' || :'hostile' END
    FROM generate_series(1, 2100) n;
INSERT INTO audiostore.runs (task, started_at) VALUES ('audit ' || :'hostile', now() - interval '90 seconds');

-- Alerts: open, some of which sections explain, and over.
INSERT INTO audiostore.alerts (name, subject, message, times, raised_at, last_raised_at, cleared_at) VALUES
    ('store_paused', 'it''s "quoted" <b>&amp;', 'store "it''s "quoted" <b>&amp;" is paused: HTTP 403: AccessDenied', 8, now() - interval '3 hours', now() - interval '2 minutes', NULL),
    ('dead_operation', 'it''s "quoted" <b>&amp;', 'an operation was given up', 23, now() - interval '23 days', now() - interval '1 day', NULL),
    (:'hostile', E'\u202Esubject', 'a rule of somebody''s own: ' || :'hostile', 1, now() - interval '9 minutes', now() - interval '9 minutes', NULL),
    ('store_paused', 'media', 'store "media" is paused: no space left on device', 40, now() - interval '9 days', now() - interval '9 days', now() - interval '8 days');

-- The cache by the hour.
INSERT INTO audiostore.cache_counters (hour, hits, misses, puts, expired, evicted)
    SELECT date_trunc('hour', now()) - n * interval '1 hour', (4000 + 2500 * sin(n / 3.8))::int * (1.3 - n / 1400.0), 900 + n % 24 * 20, 800, 500, n % 7
    FROM generate_series(1, 700) n;
INSERT INTO audiostore.audio_chunk_cache (cache_key, audio_data, duration_ms, expires_at)
    SELECT 'k' || n, decode(repeat('00', 3000), 'hex'), 1000, now() + interval '10 minutes' FROM generate_series(1, 500) n;

-- Jobs and segments.
INSERT INTO audiostore.jobs (job_type, payload, state, attempts, enqueued_at, started_at, finished_at, last_error)
    SELECT CASE n % 4 WHEN 0 THEN :'hostile' ELSE 'audio_finalize' END, '{}', CASE WHEN n % 40 = 7 THEN 'dead' WHEN n % 10 = 3 THEN 'pending' ELSE 'done' END,
           1, now() - n * interval '1 hour', now() - n * interval '1 hour', now() - n * interval '1 hour' + interval '4.2 s',
           CASE WHEN n % 40 = 7 THEN 'the file is not audio: "' || :'hostile' || '"' END
    FROM generate_series(1, 400) n;
INSERT INTO audiostore.segments (title, state, duration_seconds)
    SELECT 'Segment ' || n, (ARRAY['queued', 'ready', 'aired', 'aired', 'archived', 'failed'])[1 + n % 6], 60 + n FROM generate_series(1, 300) n;
ANALYZE;

-- Samples of a month; the last ones are as new as this.
INSERT INTO audiostore.storage_samples (store, storage_class, sampled_at, provider, objects, bytes, billable_bytes, monthly_cost, currency)
    SELECT s.store, s.class, now() - n * interval '12 hours', s.provider, b.objects, b.bytes, b.bytes, b.bytes / 1e9 * s.price,
           CASE WHEN s.price IS NOT NULL THEN 'USD' END
    FROM generate_series(0, 70) n, (VALUES
        ('media', 'STANDARD', 'local', 1.1e12, 1.6e10, NULL::numeric),
        ('it''s "quoted" <b>&amp;', 'GLACIER', 's3', 4.2e12, 2.2e10, 0.0036),
        ('it''s "quoted" <b>&amp;', 'DEEP_ARCHIVE', 's3', 9.9e12, 5e9, 0.00099),
        ('cold', 'STANDARD_IA', 's3', 2.4e11, -6e8, 0.0125)) s(store, class, provider, bytes, a_day, price),
    LATERAL (SELECT (s.bytes - s.a_day * n / 2 - (n % 5) * s.bytes / 400)::bigint AS bytes, (s.bytes / 6e6 - n * 90)::bigint AS objects) b
    WHERE n NOT BETWEEN 30 AND 33;

-- Audits and what they found.
INSERT INTO audiostore.audits (store, min_age, owner, state, started_at, finished_at, objects, bytes, rows, findings, complete, error) VALUES
    ('media', '24 hours', 'postgres', 'done', now() - interval '9 hours', now() - interval '9 hours' + interval '41 s', 21400, 119000000000, 21380, 28, true, NULL),
    ('cold', '24 hours', 'postgres', 'done', now() - interval '8 hours', now() - interval '8 hours' + interval '7 s', 8000, 2440000000, 8000, 0, true, NULL),
    ('it''s "quoted" <b>&amp;', '24 hours', 'postgres', 'failed', now() - interval '8 hours', now() - interval '7 hours', 0, 0, 0, 0, false, E'HTTP 403: AccessDenied ]]> \u202E');
INSERT INTO audiostore.audits (store, prefix, min_age, owner, state, started_at, objects, objects_expected) VALUES
    ('media', '<i>uploads</i>/', '24 hours', 'postgres', 'running', now() - interval '40 s', 900, 1400);
INSERT INTO audiostore.audit_findings (audit_id, finding, key, size, relation, detail)
    SELECT a.id, f.finding, f.key || '/' || n, f.size, f.relation, f.detail
    FROM audiostore.audits a, (VALUES
        ('orphaned_object', 'lost/' || :'hostile', 4200000, NULL, NULL, 17),
        ('dangling_row', E'\u202Eesrever', NULL, 'recordings'::regclass, 'the object is absent', 6),
        ('size_mismatch', 'recordings/short.wav', 12, 'recordings', 'the row states 5100000 bytes, the object has 12', 1),
        ('unfinished_upload', 'uploads/half', 73000000, NULL, 'begun 3 days ago', 4)) f(finding, key, size, relation, detail, times),
    generate_series(1, f.times) n
    WHERE a.store = 'media' AND a.state = 'done';
INSERT INTO audiostore.audit_findings (audit_id, finding, key, size, resolution, resolved_at)
    SELECT id, 'orphaned_object', 'lost/and gone/' || n, 1000000, 'gone', now() - interval '1 hour'
    FROM audiostore.audits, generate_series(1, 3) n WHERE store = 'media' AND state = 'done';

-- Scratch objects.
INSERT INTO audiostore.temporary_objects (key, store, state, expires_at, promoted_to_store, promoted_to, last_error)
    SELECT 'tmp-' || n, 'media', CASE WHEN n = 5 THEN 'failed' ELSE 'leased' END, now() + interval '2 hours' - n * interval '1 minute',
           CASE WHEN n = 5 THEN 'cold' END, CASE WHEN n = 5 THEN 'novel/' || :'hostile' END, CASE WHEN n = 5 THEN 'the copy is missing ]]>' END
    FROM generate_series(1, 40) n;
ANALYZE;
