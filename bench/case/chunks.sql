CREATE TABLE bench.chunks_with_key (LIKE audiostore.audio_chunks INCLUDING ALL);
CREATE TABLE bench.chunks_without_key (LIKE audiostore.audio_chunks INCLUDING ALL);
DO $$
DECLARE
    definition text;
BEGIN
    FOR definition IN SELECT pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = 'audiostore.audio_chunks'::regclass AND contype = 'f'
    LOOP
        EXECUTE 'ALTER TABLE bench.chunks_with_key ADD ' || definition;
    END LOOP;
END
$$;

CREATE TABLE bench.upload AS
    WITH upload AS (
        INSERT INTO audiostore.audio_uploads (original_filename, file_size, duration, storage_path)
        VALUES ('marathon.wav', 1000000, 1000000, 'uploads/marathon.wav') RETURNING id)
    SELECT id FROM upload;

-- The loop of the specification; only the table is variable.
CREATE FUNCTION bench.create_audio_chunks(chunks regclass, upload_id uuid, file_duration numeric(10, 3),
                                          max_chunk_duration numeric(10, 3) = 300.0)
RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    CASE chunks
        WHEN 'audiostore.audio_chunks'::regclass THEN RETURN bench.chunks_tracked(upload_id, file_duration, max_chunk_duration);
        WHEN 'bench.chunks_with_key'::regclass THEN RETURN bench.chunks_with_key(upload_id, file_duration, max_chunk_duration);
        ELSE RETURN bench.chunks_without_key(upload_id, file_duration, max_chunk_duration);
    END CASE;
END
$$;

DO $outer$
DECLARE
    names text[] := ARRAY['chunks_tracked', 'audiostore.audio_chunks', 'chunks_with_key', 'bench.chunks_with_key',
                          'chunks_without_key', 'bench.chunks_without_key'];
BEGIN
    FOR i IN 1 .. 5 BY 2 LOOP
        EXECUTE format($function$
            CREATE FUNCTION bench.%I(upload_id uuid, file_duration numeric(10, 3), max_chunk_duration numeric(10, 3))
            RETURNS integer LANGUAGE plpgsql AS $$
            DECLARE
                chunk_count integer := ceil(file_duration / max_chunk_duration);
                chunk_index integer := 0;
                start_time numeric(10, 3) := 0.0;
                end_time numeric(10, 3);
            BEGIN
                WHILE chunk_index < chunk_count LOOP
                    end_time := least(start_time + max_chunk_duration, file_duration);
                    INSERT INTO %s (upload_id, chunk_index, total_chunks, start_time, end_time, duration,
                                    chunk_filename, status)
                    VALUES (upload_id, chunk_index, chunk_count, start_time, end_time, end_time - start_time,
                            format('chunk_%%s_%%s.wav', upload_id,
                                   lpad(chunk_index::text, greatest(3, length(chunk_index::text)), '0')),
                            'pending');
                    start_time := end_time;
                    chunk_index := chunk_index + 1;
                END LOOP;
                RETURN chunk_count;
            END
            $$
            $function$, names[i], names[i + 1]);
    END LOOP;
END
$outer$;
