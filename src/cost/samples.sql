-- What was stored when: the accounting's memory, from which trends, alerts and metrics are read without counting.
CREATE TABLE audiostore.storage_samples (
    store text COLLATE "C" NOT NULL,
    storage_class text COLLATE "C" NOT NULL,
    sampled_at timestamptz NOT NULL,
    provider text COLLATE "C",
    objects bigint NOT NULL CHECK (objects >= 0),
    bytes bigint NOT NULL,
    billable_bytes bigint NOT NULL,
    monthly_cost numeric,
    currency text COLLATE "C",
    reason text,
    PRIMARY KEY (store, storage_class, sampled_at)
);
CREATE INDEX storage_samples_sampled_at ON audiostore.storage_samples (sampled_at);
COMMENT ON TABLE audiostore.storage_samples IS
    'What was tracked at a time, by store and storage class: written by the worker every audiostore.accounting_interval, and by CALL audiostore.run(''accounting''). '
    'Of each of the last 7 days all samples are kept, of days before that the last one; they go after 400 days. A class that is empty now gets a sample with 0 once more. '
    'Tables are counted piece by piece in short transactions, so rows that change meanwhile may be counted as before or after';
COMMENT ON COLUMN audiostore.storage_samples.store IS 'foreign server that names the store';
COMMENT ON COLUMN audiostore.storage_samples.storage_class IS 'class as the rows or the store say, in capitals';
COMMENT ON COLUMN audiostore.storage_samples.sampled_at IS 'when the count was complete';
COMMENT ON COLUMN audiostore.storage_samples.provider IS 'provider of the store; NULL when it was gone';
COMMENT ON COLUMN audiostore.storage_samples.objects IS 'live rows';
COMMENT ON COLUMN audiostore.storage_samples.bytes IS 'their sizes';
COMMENT ON COLUMN audiostore.storage_samples.billable_bytes IS 'the same with small objects at the size that they are paid for';
COMMENT ON COLUMN audiostore.storage_samples.monthly_cost IS 'at the price of that time; NULL when there was none';
COMMENT ON COLUMN audiostore.storage_samples.currency IS 'of monthly_cost';
COMMENT ON COLUMN audiostore.storage_samples.reason IS 'why there was no price, or what the figures leave out; NULL: nothing';
COMMENT ON INDEX audiostore.storage_samples_sampled_at IS 'for the last samples, and for removing old ones';
SELECT pg_catalog.pg_extension_config_dump('audiostore.storage_samples', '');
REVOKE ALL ON audiostore.storage_samples FROM PUBLIC;
GRANT SELECT ON audiostore.storage_samples TO pg_monitor;

CREATE VIEW audiostore.storage_now AS
    SELECT s.store, s.storage_class, s.provider, s.objects, s.bytes, s.billable_bytes, s.monthly_cost, s.currency,
           s.reason, s.sampled_at
    FROM (SELECT DISTINCT ON (store, storage_class) * FROM audiostore.storage_samples
          ORDER BY store, storage_class, sampled_at DESC) s
    WHERE s.objects > 0 OR s.sampled_at = (SELECT max(sampled_at) FROM audiostore.storage_samples);
COMMENT ON VIEW audiostore.storage_now IS
    'The last sample of each store and class: what storage_cost() would say, as of sampled_at, without counting. Empty before the first accounting';
COMMENT ON COLUMN audiostore.storage_now.sampled_at IS 'how old it is';
REVOKE ALL ON audiostore.storage_now FROM PUBLIC;
GRANT SELECT ON audiostore.storage_now TO pg_monitor;
