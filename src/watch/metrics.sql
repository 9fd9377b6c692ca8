CREATE FUNCTION audiostore.metrics(OUT name text, OUT labels jsonb, OUT value double precision, OUT type text, OUT help text)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE AS $$ SELECT NULL::text, NULL::jsonb, NULL::double precision, NULL::text, NULL::text WHERE false $$;
COMMENT ON FUNCTION audiostore.metrics() IS
    'One row for each metric, with the names and base units that Prometheus users expect; type is gauge or counter';
