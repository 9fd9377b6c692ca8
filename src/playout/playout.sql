-- Playout: what comes next, and what is heard. The player asks playout_next(), and reports what it plays.
CREATE FUNCTION audiostore.playout_url(
    store text, key text, expires_in interval, OUT url text, OUT url_error text)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    url := audiostore.signed_url(playout_url.store::name, key, 'GET', expires_in);
EXCEPTION WHEN OTHERS THEN
    -- One store that cannot sign does not silence the station.
    url_error := sqlerrm;
END
$$;
COMMENT ON FUNCTION audiostore.playout_url(text, text, interval) IS
    'signed_url() of an object for GET, or why there is none';

CREATE FUNCTION audiostore.playout_next(
    "limit" integer DEFAULT 10, expires_in interval DEFAULT '1 hour', program uuid DEFAULT NULL)
    RETURNS TABLE (segment_id uuid, title text, url text, url_error text, store text, storage_path text, content_type text,
                   duration_seconds numeric, lufs double precision, peak_db double precision, scheduled_at timestamptz,
                   program_id uuid, asset_id uuid)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF expires_in IS NULL OR expires_in < interval '1 second' OR expires_in > interval '7 days' THEN
        RAISE EXCEPTION 'expires_in must be between 1 second and 7 days' USING ERRCODE = 'invalid_parameter_value';
    ELSIF "limit" < 0 THEN
        RAISE EXCEPTION 'limit must not be negative' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
    SELECT n.id, n.title, u.url, u.url_error, n.store::text, n.storage_path::text, n.content_type::text,
           n.duration_seconds, n.lufs, n.peak_db, n.scheduled_at, n.program_id, n.asset_id
    FROM (
        SELECT s.id, s.title, a.store, a.storage_path, a.content_type,
               coalesce(a.duration_seconds, s.duration_seconds) AS duration_seconds, a.lufs, a.peak_db, s.scheduled_at,
               s.priority, s.program_id, s.asset_id
        FROM audiostore.segments s JOIN audiostore.assets a ON a.id = s.asset_id
        WHERE s.state = 'ready' AND a.state = 'final' AND a.validation_passed IS NOT FALSE AND a.missing_since IS NULL
              AND a.storage_path <> '' AND (playout_next.program IS NULL OR s.program_id = playout_next.program)
        ORDER BY s.scheduled_at, s.priority DESC, s.id
        LIMIT playout_next."limit") AS n
    CROSS JOIN LATERAL audiostore.playout_url(n.store, n.storage_path, playout_next.expires_in) AS u
    ORDER BY n.scheduled_at, n.priority DESC, n.id;
END
$$;
COMMENT ON FUNCTION audiostore.playout_next(integer, interval, uuid) IS
    'The next limit segments that are ready, of this program (NULL: of all), in airing order: scheduled_at, higher priority '
    'first, id; each with a URL that is good for expires_in (1 second to 7 days). Left out are those whose asset is not '
    'mastered, broke a validation rule, or whose object an audit found missing. url is NULL, with the reason in url_error, '
    'where the store has no URLs for the caller: fetch it with get_object(store, storage_path). lufs and peak_db (dBTP) are '
    'those of the mastered audio. Nothing changes: a segment comes again until it is reported. Errors: 22023';

CREATE FUNCTION audiostore.lock_airing(program_id uuid) RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('audiostore airing ' || coalesce(program_id::text, ''), 0))
$$;
COMMENT ON FUNCTION audiostore.lock_airing(uuid) IS
    'One session at a time changes what of a program is on air, until its transaction ends';

CREATE FUNCTION audiostore.report_now_playing(segment_id uuid) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    segment audiostore.segments;
    earlier uuid;
BEGIN
    SELECT * INTO segment FROM audiostore.segments s WHERE s.id = report_now_playing.segment_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'segment % does not exist', report_now_playing.segment_id USING ERRCODE = 'undefined_object';
    END IF;
    PERFORM audiostore.lock_airing(segment.program_id);
    SELECT * INTO segment FROM audiostore.segments s WHERE s.id = report_now_playing.segment_id FOR NO KEY UPDATE;
    IF segment.state IN ('airing', 'aired', 'archived') THEN
        RETURN false;
    END IF;
    UPDATE audiostore.segments s SET state = 'airing' WHERE s.id = segment.id;
    FOR earlier IN
        SELECT s.id FROM audiostore.segments s
        WHERE s.state = 'airing' AND s.program_id IS NOT DISTINCT FROM segment.program_id AND s.id <> segment.id
    LOOP
        PERFORM audiostore.report_played(earlier);
    END LOOP;
    RETURN true;
END
$$;
COMMENT ON FUNCTION audiostore.report_now_playing(uuid) IS
    'The segment is on air now: ready becomes airing, and what was airing of the same program (or, without one, of no '
    'program) is aired; true. False, and nothing changes, when it was reported before. Errors: 42704 when there is no such '
    'segment, 55000 when it is not ready';

CREATE FUNCTION audiostore.report_played(segment_id uuid) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    segment audiostore.segments;
BEGIN
    SELECT * INTO segment FROM audiostore.segments s WHERE s.id = report_played.segment_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'segment % does not exist', report_played.segment_id USING ERRCODE = 'undefined_object';
    ELSIF segment.state IN ('aired', 'archived') THEN
        RETURN false;
    ELSIF segment.state = 'ready' THEN
        PERFORM audiostore.move_segment(segment.id, 'aired');
    ELSE
        UPDATE audiostore.segments s SET state = 'aired' WHERE s.id = segment.id;
    END IF;
    UPDATE audiostore.music_tracks t SET last_played_at = clock_timestamp(), play_count = t.play_count + 1
    WHERE t.asset_id = segment.asset_id;
    UPDATE audiostore.jingles j SET last_played_at = clock_timestamp(), play_count = j.play_count + 1
    WHERE j.asset_id = segment.asset_id;
    RETURN true;
END
$$;
COMMENT ON FUNCTION audiostore.report_played(uuid) IS
    'The segment went off air: airing becomes aired (ready too, where the report that it began was lost), and tracks and '
    'jingles with its audio count it; true. False, and nothing changes, when it was reported before. Errors: 42704 when '
    'there is no such segment, 55000 when it is neither ready nor airing';
