-- The report: one page for people.
CREATE FUNCTION audiostore.report(since interval DEFAULT '30 days') RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED COST 100000 AS 'MODULE_PATHNAME', 'audiostore_report';
COMMENT ON FUNCTION audiostore.report(interval) IS
    'How this database and its stores are, and what needs attention, as one HTML page of its own: psql -Atc ''SELECT audiostore.report()'' > report.html. It loads nothing and runs no script, is light or dark as the reader likes it, and prints. '
    'since is how far back growth, cache, runs and alerts that are over go. Whatever is in the rows shows as text. '
    'Only reads, as of one snapshot, so it runs on a standby as well. Large tables are estimated from a sample of their blocks, or taken from the last accounting; the page says which. '
    'It shows names of stores, tables and workspaces, keys of dead operations, and errors, to members of pg_monitor, whatever else they may read. Errors: 22004 (since is NULL), 22023 (since is not positive, or longer than 100 years)';
REVOKE ALL ON FUNCTION audiostore.report(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audiostore.report(interval) TO pg_monitor;
