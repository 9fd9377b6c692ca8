-- What somebody should look at.
CREATE TABLE audiostore.alerts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL DEFAULT '',
    message text NOT NULL,
    times bigint NOT NULL DEFAULT 1 CHECK (times > 0),
    raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_raised_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cleared_at timestamptz
);
CREATE UNIQUE INDEX alerts_open ON audiostore.alerts (name, subject) WHERE cleared_at IS NULL;

COMMENT ON TABLE audiostore.alerts IS
    'Conditions that somebody should look at. Raising and clearing one notifies the channel audiostore_alerts with a JSON object: event (raised, cleared), name, subject, message. No part of a dump: a worker writes here while its database is still being restored, and what still holds there is raised there anew';
COMMENT ON COLUMN audiostore.alerts.id IS 'number of the alert';
COMMENT ON COLUMN audiostore.alerts.name IS 'kind of the condition, e.g. store_paused';
COMMENT ON COLUMN audiostore.alerts.subject IS 'what it is about, e.g. the name of a store';
COMMENT ON COLUMN audiostore.alerts.message IS 'what was seen, as of last_raised_at';
COMMENT ON COLUMN audiostore.alerts.times IS 'how often it was raised while it was open';
COMMENT ON COLUMN audiostore.alerts.raised_at IS 'when it was raised first';
COMMENT ON COLUMN audiostore.alerts.last_raised_at IS 'when it was raised last';
COMMENT ON COLUMN audiostore.alerts.cleared_at IS
    'when the condition ended; NULL while it is open. Goes audiostore.run_history after that';
COMMENT ON INDEX audiostore.alerts_open IS 'at most one open alert for each name and subject';

REVOKE ALL ON audiostore.alerts FROM PUBLIC;
GRANT SELECT ON audiostore.alerts TO pg_monitor;
