-- When mastering fails: the asset and its segments follow the job, whoever gives it up (fail_audio_finalize(), a lease
-- that ended for the last time) and whoever revives it (retry_job()).
CREATE FUNCTION audiostore.fail_audio_finalize(
    job_id bigint, worker text, error text, retry boolean DEFAULT true, claim bigint DEFAULT NULL) RETURNS text
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT audiostore.fail_job(job_id, worker, error, retry, claim)
$$;
COMMENT ON FUNCTION audiostore.fail_audio_finalize(bigint, text, text, boolean, bigint) IS
    'Mastering failed: as fail_job(). While the job is to be tried again, its asset is raw and its segments wait; when it '
    'is dead, the asset and the segments that wait for it are failed. Returns the job''s state';

-- Before the row changes, so that the asset is locked first: whoever holds an asset may look for its job, and must not
-- have to wait for one that waits for the asset.
CREATE FUNCTION audiostore.audio_job_changed() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    asset audiostore.assets;
    waiting uuid;
BEGIN
    SELECT * INTO asset FROM audiostore.assets a WHERE a.id = audiostore.job_asset(NEW.payload) FOR NO KEY UPDATE;
    IF NEW.state = 'pending' AND OLD.state = 'dead' THEN
        -- Again, now that nobody can queue the asset's mastering any more.
        PERFORM audiostore.refuse_twin(NEW);
    END IF;
    IF asset.id IS NULL THEN
        NULL;
    ELSIF NEW.state = 'dead' AND asset.state IN ('raw', 'mastering') THEN
        UPDATE audiostore.assets a SET state = 'failed', error = NEW.last_error WHERE a.id = asset.id;
        PERFORM audiostore.settle_segments(asset.id);
    ELSIF NEW.state = 'pending' AND OLD.state = 'running' AND asset.state = 'mastering' THEN
        UPDATE audiostore.assets a SET state = 'raw', error = NEW.last_error WHERE a.id = asset.id;
    ELSIF NEW.state = 'pending' AND OLD.state = 'dead' AND asset.state = 'failed' THEN
        UPDATE audiostore.assets a SET state = 'raw', error = NULL WHERE a.id = asset.id;
        -- Those that failed with it, and are still as it left them.
        FOR waiting IN
            UPDATE audiostore.segments s SET state = 'queued'
            WHERE s.asset_id = asset.id AND s.state = 'failed' AND s.error IS NOT DISTINCT FROM asset.error
            RETURNING s.id
        LOOP
            PERFORM audiostore.move_segment(waiting, 'normalizing');
        END LOOP;
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION audiostore.audio_job_changed() FROM PUBLIC;
COMMENT ON FUNCTION audiostore.audio_job_changed() IS
    'Row trigger: asset and segments follow a job audio_finalize that is given back, given up or revived';
CREATE TRIGGER audio_job_changed BEFORE UPDATE OF state ON audiostore.jobs
    FOR EACH ROW WHEN (NEW.job_type = 'audio_finalize' AND NEW.state IS DISTINCT FROM OLD.state
                       AND NEW.state IN ('pending', 'dead'))
    EXECUTE FUNCTION audiostore.audio_job_changed();
COMMENT ON TRIGGER audio_job_changed ON audiostore.jobs IS 'asset and segments follow the job that masters them';
