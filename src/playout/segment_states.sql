-- The states of a segment: which moves are legal, and when each was made.
CREATE FUNCTION audiostore.next_segment_states(state text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE state
        WHEN 'queued' THEN ARRAY['retrieving', 'failed']
        WHEN 'retrieving' THEN ARRAY['generating', 'failed']
        WHEN 'generating' THEN ARRAY['rendering', 'failed']
        WHEN 'rendering' THEN ARRAY['normalizing', 'failed']
        WHEN 'normalizing' THEN ARRAY['ready', 'failed']
        WHEN 'ready' THEN ARRAY['airing', 'failed']
        WHEN 'airing' THEN ARRAY['aired', 'failed']
        WHEN 'aired' THEN ARRAY['archived', 'failed']
        WHEN 'archived' THEN ARRAY['failed']
        WHEN 'failed' THEN ARRAY['queued']
    END;
COMMENT ON FUNCTION audiostore.next_segment_states(text) IS
    'States that a segment may move to from this one, the usual one first; NULL for a state that does not exist';

-- Column by column, because that is several times faster than anything that takes the column's name as a value.
CREATE FUNCTION audiostore.segment_state_changed() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    legal text[];
BEGIN
    IF TG_OP = 'UPDATE' THEN
        legal := audiostore.next_segment_states(OLD.state);
        -- What is no state at all is left to the CHECK constraint.
        IF NEW.state <> ALL (legal) AND audiostore.next_segment_states(NEW.state) IS NOT NULL THEN
            RAISE EXCEPTION 'segment % cannot go from state "%" to "%"', OLD.id, OLD.state, NEW.state
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      DETAIL = format('The segment is %s since %s.', OLD.state, OLD.state_changed_at),
                      HINT = format('From "%s" it can go to: %s.', OLD.state, array_to_string(legal, ', '));
        END IF;
        NEW.state_changed_at := clock_timestamp();
        IF NEW.state = 'failed' THEN
            NEW.failed_at := NULL;
        ELSIF NEW.state = 'queued' THEN
            NEW.error := NULL;
            NEW.retry_count := greatest(NEW.retry_count, OLD.retry_count + 1);
            NEW.queued_at := NULL;
            NEW.retrieving_at := NULL;
            NEW.generating_at := NULL;
            NEW.rendering_at := NULL;
            NEW.normalizing_at := NULL;
            NEW.ready_at := NULL;
            NEW.airing_at := NULL;
            NEW.aired_at := NULL;
            NEW.archived_at := NULL;
        END IF;
    ELSE
        NEW.state_changed_at := coalesce(NEW.state_changed_at, clock_timestamp());
    END IF;
    CASE NEW.state
        WHEN 'queued' THEN NEW.queued_at := coalesce(NEW.queued_at, NEW.state_changed_at);
        WHEN 'retrieving' THEN NEW.retrieving_at := coalesce(NEW.retrieving_at, NEW.state_changed_at);
        WHEN 'generating' THEN NEW.generating_at := coalesce(NEW.generating_at, NEW.state_changed_at);
        WHEN 'rendering' THEN NEW.rendering_at := coalesce(NEW.rendering_at, NEW.state_changed_at);
        WHEN 'normalizing' THEN NEW.normalizing_at := coalesce(NEW.normalizing_at, NEW.state_changed_at);
        WHEN 'ready' THEN NEW.ready_at := coalesce(NEW.ready_at, NEW.state_changed_at);
        WHEN 'airing' THEN NEW.airing_at := coalesce(NEW.airing_at, NEW.state_changed_at);
        WHEN 'aired' THEN NEW.aired_at := coalesce(NEW.aired_at, NEW.state_changed_at);
        WHEN 'archived' THEN NEW.archived_at := coalesce(NEW.archived_at, NEW.state_changed_at);
        WHEN 'failed' THEN NEW.failed_at := coalesce(NEW.failed_at, NEW.state_changed_at);
        ELSE NULL;
    END CASE;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION audiostore.segment_state_changed() FROM PUBLIC;
COMMENT ON FUNCTION audiostore.segment_state_changed() IS
    'Row trigger: refuses (55000) moves that next_segment_states() does not name, and timestamps the others. Back in queued, '
    'the times of all later states but failed are cleared';
CREATE TRIGGER stamp_state BEFORE INSERT ON audiostore.segments
    FOR EACH ROW EXECUTE FUNCTION audiostore.segment_state_changed();
CREATE TRIGGER check_state BEFORE UPDATE OF state ON audiostore.segments
    FOR EACH ROW WHEN (NEW.state IS DISTINCT FROM OLD.state) EXECUTE FUNCTION audiostore.segment_state_changed();
COMMENT ON TRIGGER stamp_state ON audiostore.segments IS 'time of the state that a new segment has';
COMMENT ON TRIGGER check_state ON audiostore.segments IS 'legal moves only, with the time of each';

CREATE FUNCTION audiostore.segment_audio_lost() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.state := 'failed';
    NEW.error := 'its audio was deleted';
    NEW.state_changed_at := clock_timestamp();
    NEW.failed_at := NEW.state_changed_at;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION audiostore.segment_audio_lost() FROM PUBLIC;
COMMENT ON FUNCTION audiostore.segment_audio_lost() IS 'Row trigger: a segment that waits for audio which is deleted has failed';
CREATE TRIGGER lose_audio BEFORE UPDATE OF asset_id ON audiostore.segments
    FOR EACH ROW WHEN (OLD.asset_id IS NOT NULL AND NEW.asset_id IS NULL AND NEW.state = OLD.state
                       AND NEW.state IN ('normalizing', 'ready'))
    EXECUTE FUNCTION audiostore.segment_audio_lost();
COMMENT ON TRIGGER lose_audio ON audiostore.segments IS 'when an asset is deleted, segments that were to play it fail';

CREATE FUNCTION audiostore.move_segment(segment_id uuid, to_state text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    path CONSTANT text[] := ARRAY['queued', 'retrieving', 'generating', 'rendering', 'normalizing', 'ready', 'airing',
                                  'aired', 'archived'];
    now_in text;
    step integer;
BEGIN
    SELECT s.state INTO now_in FROM audiostore.segments s WHERE s.id = move_segment.segment_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'segment % does not exist', move_segment.segment_id USING ERRCODE = 'undefined_object';
    ELSIF now_in = to_state THEN
        RETURN false;
    END IF;
    step := array_position(path, now_in);
    IF step < array_position(path, to_state) THEN
        LOOP
            step := step + 1;
            UPDATE audiostore.segments s SET state = path[step] WHERE s.id = move_segment.segment_id;
            EXIT WHEN path[step] = to_state;
        END LOOP;
    ELSE
        UPDATE audiostore.segments s SET state = to_state WHERE s.id = move_segment.segment_id;
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION audiostore.move_segment(uuid, text) IS
    'Moves a segment to a later state through all those between, each timestamped, or to failed or queued; true, or false '
    'when it is there already. For applications that do not report each step. Errors: 42704 when there is no such '
    'segment, 55000 for an illegal move, 23514 for a state that does not exist';
