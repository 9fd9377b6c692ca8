-- Policies for the tables of this extension, off until somebody enables them.
CREATE VIEW audiostore.builtin_policies AS
    SELECT b.name, b.part, b.kind, b.relation, b.after::interval AS after, b.age_column, b.condition, b.assignments::jsonb AS assignments,
           b.class_expression, b.schedule::interval AS schedule, b.description, p.id AS policy_id, p.id IS NOT NULL AS enabled
    FROM (VALUES
        ('aired_segments', 'aired_segments', 'retention', 'audiostore.segments', '30 days', 'aired_at',
         $$state = 'aired'$$, '{"state": "archived"}', NULL, '1 hour',
         'Segments that were aired 30 days ago become archived'),
        ('aired_segments', 'aired_segments.audio', 'retention', 'audiostore.assets', '30 days', 'created_at',
         $$kind = 'speech' AND state NOT IN ('uploading', 'deleted')
           AND EXISTS (SELECT FROM audiostore.segments s WHERE s.asset_id = assets.id AND s.state = 'archived')
           AND NOT EXISTS (SELECT FROM audiostore.segments s WHERE s.asset_id = assets.id AND s.state <> 'archived')$$,
         '{"state": "deleted"}', NULL, '1 hour',
         'Speech that only archived segments have is let go of; its row, with its figures, stays'),
        ('final_audio', 'final_audio', 'retention', 'audiostore.assets', '7 days', 'mastered_at',
         $$kind = 'speech' AND state = 'final'
           AND NOT EXISTS (SELECT FROM audiostore.segments s
                           WHERE s.asset_id = assets.id AND s.state NOT IN ('aired', 'archived', 'failed'))$$,
         '{"state": "deleted"}', NULL, '1 hour',
         'Mastered speech is let go of after 7 days, but for what is still to be aired; its row stays'),
        ('workspace_retention', 'workspace_retention', 'retention', 'audiostore.audio_uploads', '1 second', 'uploaded_at',
         $$uploaded_at < (SELECT now() - make_interval(days => min(q.retention_days)) FROM audiostore.storage_quotas q
                          WHERE q.auto_cleanup)
           AND EXISTS (SELECT FROM audiostore.storage_quotas q
                       WHERE q.workspace_id = audio_uploads.workspace_id AND q.auto_cleanup
                             AND audio_uploads.uploaded_at < now() - make_interval(days => q.retention_days))$$,
         NULL, NULL, '1 hour',
         'Uploads, with their chunks, of workspaces with auto_cleanup are deleted after the retention_days in storage_quotas'),
        ('workspace_archive', 'workspace_archive', 'tiering', 'audiostore.audio_uploads', '1 second', 'uploaded_at',
         $$status = 'completed'
           AND uploaded_at < (SELECT now() - make_interval(days => min(q.archive_threshold_days))
                              FROM audiostore.storage_quotas q WHERE q.auto_cleanup)
           AND EXISTS (SELECT FROM audiostore.storage_quotas q
                       WHERE q.workspace_id = audio_uploads.workspace_id AND q.auto_cleanup
                             AND audio_uploads.uploaded_at < now() - make_interval(days => q.archive_threshold_days))$$,
         '{"status": "archived", "archived_at": "now"}',
         $$(SELECT coalesce(q.archive_storage_class, 'glacier') FROM audiostore.storage_quotas q
            WHERE q.workspace_id = audio_uploads.workspace_id)$$, '1 hour',
         'Completed uploads of workspaces with auto_cleanup move to the archive_storage_class in storage_quotas after its archive_threshold_days: '
         'to the archive_store of their store where that has no storage classes'),
        ('orphaned_chunks', 'orphaned_chunks', 'retention', 'audiostore.audio_chunks', NULL, NULL,
         $$EXISTS (SELECT FROM audiostore.audio_uploads u WHERE u.id = audio_chunks.upload_id AND u.status = 'deleted')$$,
         NULL, NULL, '1 day',
         'Chunks whose upload has the status deleted go; those whose upload is gone went with it'),
        ('processing_cache', 'processing_cache', 'retention', 'audiostore.file_processing_cache', '1 second', 'expires_at',
         'true', NULL, NULL, '1 hour',
         'Cached results go when their expires_at has come'),
        ('processing_cache', 'processing_cache.unused', 'retention', 'audiostore.file_processing_cache', '30 days', 'accessed_at',
         'true', NULL, NULL, '1 day',
         'Cached results that nobody has asked for in 30 days go'),
        ('chunked_uploads', 'chunked_uploads', 'retention', 'audiostore.chunked_uploads', '1 second', 'expires_at',
         $$status <> 'assembling'$$, NULL, NULL, '10 minutes',
         'Resumable uploads that were not completed by their expires_at go with their parts; completed ones go as well, and their object stays if another row, such as that of audio_uploads, has it by then')
    ) AS b (name, part, kind, relation, after, age_column, condition, assignments, class_expression, schedule, description)
    LEFT JOIN audiostore.policies p ON p.name = b.part;
COMMENT ON VIEW audiostore.builtin_policies IS
    'Policies for the tables of this extension: enable_policy(name) turns one on, disable_policy(name) off. Some consist of parts, each a policy of its own';
COMMENT ON COLUMN audiostore.builtin_policies.name IS 'what enable_policy() takes';
COMMENT ON COLUMN audiostore.builtin_policies.part IS 'name of the policy in policy_status once it is enabled';
COMMENT ON COLUMN audiostore.builtin_policies.kind IS 'retention or tiering';
COMMENT ON COLUMN audiostore.builtin_policies.after IS 'age from which on it applies; NULL: age does not count';
COMMENT ON COLUMN audiostore.builtin_policies.assignments IS 'what rows are set to; NULL: they are deleted';
COMMENT ON COLUMN audiostore.builtin_policies.policy_id IS 'the policy, while it is enabled';
COMMENT ON COLUMN audiostore.builtin_policies.enabled IS 'whether it is on';
GRANT SELECT ON audiostore.builtin_policies TO PUBLIC;

CREATE FUNCTION audiostore.enable_policy(name text, after interval DEFAULT NULL) RETURNS SETOF bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    builtin record;
BEGIN
    IF NOT EXISTS (SELECT FROM audiostore.builtin_policies b WHERE b.name = enable_policy.name) THEN
        RAISE EXCEPTION 'there is no built-in policy "%"', enable_policy.name USING ERRCODE = 'undefined_object',
            HINT = 'SELECT name, description FROM audiostore.builtin_policies lists them.';
    END IF;
    FOR builtin IN SELECT * FROM audiostore.builtin_policies b WHERE b.name = enable_policy.name AND NOT b.enabled LOOP
        RETURN NEXT CASE builtin.kind
            WHEN 'retention' THEN audiostore.add_retention_policy(builtin.relation, coalesce(enable_policy.after, builtin.after),
                builtin.age_column, builtin.condition, CASE WHEN builtin.assignments IS NULL THEN 'delete' ELSE 'set' END,
                builtin.assignments, builtin.schedule, builtin.part)
            ELSE audiostore.add_tiering_policy(builtin.relation, coalesce(enable_policy.after, builtin.after), builtin.age_column,
                condition => builtin.condition, key_column => 'storage_path', assignments => builtin.assignments,
                schedule => builtin.schedule, class_expression => builtin.class_expression, name => builtin.part) END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION audiostore.enable_policy(text, interval) IS
    'Turns a built-in policy on, with another age than its own where after is given; returns the numbers of the policies that this adds, none when it is on already. They are as any other: alter_policy(), preview_policy(). Needs ownership of the tables, which is that of the extension. Errors: 42501, 42704 (no such policy), and those of add_retention_policy() and add_tiering_policy()';

CREATE FUNCTION audiostore.disable_policy(name text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    policy bigint;
    found_one boolean := false;
BEGIN
    IF NOT EXISTS (SELECT FROM audiostore.builtin_policies b WHERE b.name = disable_policy.name) THEN
        RAISE EXCEPTION 'there is no built-in policy "%"', disable_policy.name USING ERRCODE = 'undefined_object',
            HINT = 'SELECT name, description FROM audiostore.builtin_policies lists them.';
    END IF;
    FOR policy IN SELECT b.policy_id FROM audiostore.builtin_policies b WHERE b.name = disable_policy.name AND b.enabled LOOP
        PERFORM audiostore.remove_policy(policy);
        found_one := true;
    END LOOP;
    RETURN found_one;
END
$$;
COMMENT ON FUNCTION audiostore.disable_policy(text) IS
    'Removes a built-in policy; false when it is not enabled. Only its owner may. Errors: 42501, 42704 (no such policy)';
