CREATE VIEW audiostore.progress AS
    SELECT NULL::text AS task, NULL::text AS subject, NULL::integer AS pid, NULL::timestamptz AS started_at,
           NULL::bigint AS done, NULL::bigint AS total, NULL::text AS unit, NULL::double precision AS rate,
           NULL::interval AS time_left WHERE false;
COMMENT ON VIEW audiostore.progress IS 'What runs now, as pg_stat_progress_* shows it for the server: rate is units per second, time_left NULL where nobody knows the total';
