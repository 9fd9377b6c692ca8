-- Mastering as the worker that runs audio_finalize sees it: begin, work without a transaction, finish or fail. Each is
-- one call in one transaction, may be repeated, and refuses a worker that has lost its lease.
CREATE FUNCTION audiostore.job_asset(payload jsonb) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN payload ->> 'asset_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                THEN (payload ->> 'asset_id')::uuid END
$$;
COMMENT ON FUNCTION audiostore.job_asset(jsonb) IS 'The asset that a job audio_finalize is about; NULL where it names none';

CREATE FUNCTION audiostore.settle_segments(asset_id uuid) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    settled bigint;
BEGIN
    UPDATE audiostore.segments s
    SET state = CASE WHEN a.state = 'final' AND a.validation_passed IS NOT FALSE THEN 'ready' ELSE 'failed' END,
        error = CASE a.state WHEN 'deleted' THEN 'its audio was deleted' ELSE a.error END,
        duration_seconds = coalesce(a.duration_seconds, s.duration_seconds)
    FROM audiostore.assets a
    WHERE a.id = settle_segments.asset_id AND s.asset_id = a.id AND s.state = 'normalizing';
    GET DIAGNOSTICS settled = ROW_COUNT;
    RETURN settled;
END
$$;
COMMENT ON FUNCTION audiostore.settle_segments(uuid) IS
    'Moves the segments that wait for this asset to ready, or to failed where it failed; returns their number';

CREATE FUNCTION audiostore.begin_audio_finalize(job_id bigint, worker text, claim bigint DEFAULT NULL)
    RETURNS TABLE (asset_id uuid, kind text, store text, raw_key text, final_key text, content_hash text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    job CONSTANT audiostore.jobs := audiostore.lock_claimed_job(job_id, begin_audio_finalize.worker, begin_audio_finalize.claim);
    asset audiostore.assets;
    outcome text;
BEGIN
    IF job.state <> 'running' THEN
        PERFORM audiostore.refuse_lost_claim(job);
    END IF;
    SELECT * INTO asset FROM audiostore.assets a WHERE a.id = audiostore.job_asset(job.payload) FOR NO KEY UPDATE;
    IF NOT FOUND OR asset.state IN ('uploading', 'deleted') THEN
        PERFORM audiostore.settle_segments(asset.id);
        outcome := 'gone';
    ELSIF asset.state = 'final' THEN
        PERFORM audiostore.settle_segments(asset.id);
        outcome := 'final';
    ELSE
        UPDATE audiostore.assets a SET state = 'mastering', error = NULL WHERE a.id = asset.id;
        -- The intent comes first: should this worker write the object and die, or the asset be deleted meanwhile.
        PERFORM audiostore.expire_object(asset.store::name, audiostore.final_key(asset.id), clock_timestamp() + interval '1 day');
        RETURN QUERY SELECT asset.id, asset.kind, asset.store::text, asset.storage_path::text,
                            audiostore.final_key(asset.id), asset.content_hash::text;
        RETURN;
    END IF;
    PERFORM audiostore.complete_job(job.id, begin_audio_finalize.worker, jsonb_build_object('outcome', outcome),
                                    begin_audio_finalize.claim);
END
$$;
COMMENT ON FUNCTION audiostore.begin_audio_finalize(bigint, text, bigint) IS
    'For the worker that has claimed this job audio_finalize: the asset, now mastering, with the keys to read and to write. '
    'No row: there is nothing to do (the asset is gone, or mastered already), and the job is done. A delete of final_key is '
    'queued for a day later, which finish_audio_finalize() cancels. Errors: 42704 when there is no such job, 55000 when the claim is lost';

CREATE FUNCTION audiostore.finish_audio_finalize(
    job_id bigint, worker text, figures jsonb, size bigint, content_hash text, claim bigint DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    job CONSTANT audiostore.jobs :=
        audiostore.lock_claimed_job(job_id, finish_audio_finalize.worker, finish_audio_finalize.claim);
    asset audiostore.assets;
    checked jsonb;
    outcome text;
BEGIN
    IF job.state = 'done' THEN
        RETURN job.result ->> 'outcome';
    ELSIF job.state <> 'running' THEN
        PERFORM audiostore.refuse_lost_claim(job);
    END IF;
    SELECT * INTO asset FROM audiostore.assets a WHERE a.id = audiostore.job_asset(job.payload) FOR NO KEY UPDATE;
    IF NOT FOUND OR asset.state IN ('uploading', 'deleted') THEN
        outcome := 'gone';
    ELSIF asset.state = 'final' THEN
        outcome := CASE WHEN asset.validation_passed IS FALSE THEN 'rejected' ELSE 'final' END;
    ELSIF asset.content_hash <> finish_audio_finalize.content_hash THEN
        outcome := 'mismatch';
        UPDATE audiostore.assets a
        SET state = 'failed', content_hash = NULL,
            error = format('content_hash is %s, but that of the object is %s', asset.content_hash,
                           finish_audio_finalize.content_hash)
        WHERE a.id = asset.id;
    ELSE
        checked := audiostore.validate_audio_figures(figures, asset.kind);
        outcome := CASE WHEN (checked ->> 'passed')::boolean THEN 'final' ELSE 'rejected' END;
        PERFORM audiostore.record_mastering(asset.id, figures, finish_audio_finalize.size, checked);
        IF asset.content_hash IS NULL THEN
            PERFORM audiostore.record_content_hash(asset.id, finish_audio_finalize.content_hash);
        END IF;
    END IF;
    PERFORM audiostore.settle_segments(asset.id);
    PERFORM audiostore.complete_job(job.id, finish_audio_finalize.worker,
                                    jsonb_build_object('outcome', outcome, 'asset_id', asset.id), finish_audio_finalize.claim);
    RETURN outcome;
END
$$;
COMMENT ON FUNCTION audiostore.finish_audio_finalize(bigint, text, jsonb, bigint, text, bigint) IS
    'The mastered audio is in the store under final_key: moves the asset there with its figures (see '
    'validate_audio_figures(); those of the raw audio in an object "before"), judges it, moves all segments that '
    'wait for it to ready or failed, and completes the job. The raw object goes because no row holds it any more. size is '
    'that of the final object, content_hash the SHA-256 of the raw one. Returns the outcome: final; rejected: it broke '
    'validation rules; mismatch: the client named another content_hash; gone: the asset was deleted. The same call again '
    'changes nothing. Errors: 42704 when there is no such job, 55000 when the claim is lost, 22P02 for figures that are not numbers';

CREATE FUNCTION audiostore.record_mastering(asset_id uuid, figures jsonb, size bigint, checked jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE audiostore.assets a
    SET state = 'final', storage_path = audiostore.final_key(a.id), size = record_mastering.size, content_type = 'audio/wav',
        duration_seconds = (figures ->> 'duration_seconds')::numeric,
        sample_rate = (figures ->> 'sample_rate')::integer, channels = (figures ->> 'channels')::integer,
        lufs = (figures ->> 'integrated_lufs')::double precision,
        peak_db = (figures ->> 'true_peak_dbtp')::double precision,
        lufs_before = (figures #>> '{before,integrated_lufs}')::double precision,
        peak_db_before = (figures #>> '{before,true_peak_dbtp}')::double precision,
        gain_db = (figures ->> 'gain_db')::double precision,
        mastering = figures, validation = checked, validation_passed = (checked ->> 'passed')::boolean,
        error = audiostore.broken_rules(checked), mastered_at = clock_timestamp(), missing_since = NULL
    WHERE a.id = record_mastering.asset_id;
END
$$;
COMMENT ON FUNCTION audiostore.record_mastering(uuid, jsonb, bigint, jsonb) IS
    'Moves an asset to its final key, with its figures and what the rules say about them';

CREATE FUNCTION audiostore.record_content_hash(asset_id uuid, content_hash text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE audiostore.assets a SET content_hash = record_content_hash.content_hash
    WHERE a.id = record_content_hash.asset_id;
EXCEPTION WHEN unique_violation THEN
    -- Another asset has this content: both stay, and later copies join that one.
    NULL;
END
$$;
COMMENT ON FUNCTION audiostore.record_content_hash(uuid, text) IS
    'Notes the hash of an upload that was confirmed without one, unless another asset has it';
