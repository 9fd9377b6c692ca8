-- A segment fails, and gets another chance.
CREATE FUNCTION audiostore.fail_segment(segment_id uuid, error text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE audiostore.segments s SET state = 'failed', error = coalesce(fail_segment.error, 'no reason given')
    WHERE s.id = fail_segment.segment_id AND s.state <> 'failed';
    IF FOUND THEN
        RETURN true;
    ELSIF EXISTS (SELECT FROM audiostore.segments s WHERE s.id = fail_segment.segment_id) THEN
        RETURN false;
    END IF;
    RAISE EXCEPTION 'segment % does not exist', fail_segment.segment_id USING ERRCODE = 'undefined_object';
END
$$;
COMMENT ON FUNCTION audiostore.fail_segment(uuid, text) IS
    'Moves a segment to failed, from any state, with this error; true, or false when it had failed already. Errors: 42704 '
    'when there is no such segment';

CREATE FUNCTION audiostore.requeue_segment(segment_id uuid) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    segment audiostore.segments;
BEGIN
    SELECT * INTO segment FROM audiostore.segments s WHERE s.id = requeue_segment.segment_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'segment % does not exist', requeue_segment.segment_id USING ERRCODE = 'undefined_object';
    ELSIF segment.state = 'queued' THEN
        RETURN false;
    ELSIF segment.state = 'failed' AND segment.retry_count >= segment.max_retries THEN
        RAISE EXCEPTION 'segment % has been retried often enough', segment.id
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = format('It was queued again %s times, which is its max_retries; it last failed with: %s',
                                  segment.retry_count, coalesce(segment.error, 'no reason given')),
                  HINT = 'Raise its max_retries to try again.';
    END IF;
    UPDATE audiostore.segments s SET state = 'queued' WHERE s.id = segment.id;
    RETURN true;
END
$$;
COMMENT ON FUNCTION audiostore.requeue_segment(uuid) IS
    'Queues a failed segment again and counts it in retry_count; true, or false when it is queued already. Errors: 42704 '
    'when there is no such segment, 55000 after max_retries and in every other state';
