-- What storage costs. Users edit the table; what comes with the extension gives way to what they write.
CREATE TABLE audiostore.storage_prices (
    provider text COLLATE "C" NOT NULL CHECK (provider <> ''),
    storage_class text COLLATE "C" NOT NULL DEFAULT 'STANDARD'
        CHECK (storage_class = upper(storage_class) AND storage_class <> ''),
    store text COLLATE "C" NOT NULL DEFAULT '',
    price_per_gb_month numeric CHECK (price_per_gb_month >= 0 AND price_per_gb_month < 'Infinity'),
    minimum_days integer NOT NULL DEFAULT 0 CHECK (minimum_days >= 0),
    early_delete_fee numeric CHECK (early_delete_fee >= 0 AND early_delete_fee < 'Infinity'),
    minimum_billable_bytes bigint NOT NULL DEFAULT 0 CHECK (minimum_billable_bytes >= 0),
    currency text COLLATE "C" NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z]{3}$'),
    source text,
    built_in boolean NOT NULL DEFAULT false,
    PRIMARY KEY (provider, storage_class, store)
);
COMMENT ON TABLE audiostore.storage_prices IS
    'What storage costs, by provider and storage class: insert, update and delete rows as your contract says; it holds from the next look on. A GB is 10^9 bytes. '
    'A row that comes with the extension gives way to one that is inserted with the same provider, storage_class and store. Edited and inserted rows are part of a dump; a deleted one comes back with a restore (set its price to NULL instead). '
    'Where the numbers that come with it are from: postgresql 0.17 and gcs STANDARD 0.020, NEARLINE 0.010 and COLDLINE 0.004 are the cost table of docs/costs.md; those of s3, and gcs ARCHIVE, are public list prices of one region, see source; azure and local have none, since none holds everywhere';
COMMENT ON COLUMN audiostore.storage_prices.provider IS 'provider of the store: s3, gcs, azure, local, supabase; postgresql is the database itself';
COMMENT ON COLUMN audiostore.storage_prices.storage_class IS 'class as the provider names it, in capitals';
COMMENT ON COLUMN audiostore.storage_prices.store IS 'foreign server that it holds for alone, which goes before the others; empty: every store of the provider';
COMMENT ON COLUMN audiostore.storage_prices.price_per_gb_month IS 'price of 10^9 bytes for a month; NULL: not known, and what is stored there costs NULL, with a reason';
COMMENT ON COLUMN audiostore.storage_prices.minimum_days IS 'days that an object is paid for at least, however early it is deleted or moved on; 0: none';
COMMENT ON COLUMN audiostore.storage_prices.early_delete_fee IS
    'price of a GB and month that is missing to minimum_days when an object goes early; NULL: price_per_gb_month, as most providers have it';
COMMENT ON COLUMN audiostore.storage_prices.minimum_billable_bytes IS 'bytes that an object is paid for at least, however small it is';
COMMENT ON COLUMN audiostore.storage_prices.currency IS 'ISO 4217 code; amounts of different currencies are never added';
COMMENT ON COLUMN audiostore.storage_prices.source IS 'where the price comes from';
COMMENT ON COLUMN audiostore.storage_prices.built_in IS 'came with the extension and was not edited: not part of a dump';

CREATE FUNCTION audiostore.storage_price_written() RETURNS trigger
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        DELETE FROM audiostore.storage_prices p
        WHERE p.built_in AND (p.provider, p.storage_class, p.store) = (NEW.provider, NEW.storage_class, NEW.store);
    ELSE
        NEW.built_in := false;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION audiostore.storage_price_written() IS
    'Trigger function of storage_prices: what comes with the extension gives way to what is inserted, and is the user''s own once it is edited';
REVOKE ALL ON FUNCTION audiostore.storage_price_written() FROM PUBLIC;
CREATE TRIGGER storage_price_written BEFORE INSERT OR UPDATE ON audiostore.storage_prices
    FOR EACH ROW EXECUTE FUNCTION audiostore.storage_price_written();
COMMENT ON TRIGGER storage_price_written ON audiostore.storage_prices IS 'a dump has the edited rows, and restores over those that come with the extension';

INSERT INTO audiostore.storage_prices
    (provider, storage_class, price_per_gb_month, minimum_days, minimum_billable_bytes, source, built_in)
VALUES
    ('postgresql', 'STANDARD', 0.17, 0, 0, 'cost table of docs/costs.md', true),
    ('gcs', 'STANDARD', 0.020, 0, 0, 'cost table of docs/costs.md', true),
    ('gcs', 'NEARLINE', 0.010, 30, 0, 'cost table of docs/costs.md; minimum: public terms', true),
    ('gcs', 'COLDLINE', 0.004, 90, 0, 'cost table of docs/costs.md; minimum: public terms', true),
    ('gcs', 'ARCHIVE', 0.0012, 365, 0, 'public list price of us-central1: check yours', true),
    ('s3', 'STANDARD', 0.023, 0, 0, 'public list price of us-east-1, first 50 TB: check yours', true),
    ('s3', 'STANDARD_IA', 0.0125, 30, 131072, 'public list price of us-east-1: check yours', true),
    ('s3', 'ONEZONE_IA', 0.01, 30, 131072, 'public list price of us-east-1: check yours', true),
    ('s3', 'GLACIER_IR', 0.004, 90, 131072, 'public list price of us-east-1: check yours', true),
    ('s3', 'GLACIER', 0.0036, 90, 0, 'public list price of us-east-1: check yours', true),
    ('s3', 'DEEP_ARCHIVE', 0.00099, 180, 0, 'public list price of us-east-1: check yours', true),
    ('azure', 'HOT', NULL, 0, 0, 'depends on region and redundancy: set yours', true),
    ('azure', 'COOL', NULL, 30, 0, 'depends on region and redundancy: set yours', true),
    ('azure', 'COLD', NULL, 90, 0, 'depends on region and redundancy: set yours', true),
    ('azure', 'ARCHIVE', NULL, 180, 0, 'depends on region and redundancy: set yours', true),
    ('local', 'STANDARD', NULL, 0, 0, 'what your disk costs: set yours', true);
SELECT pg_catalog.pg_extension_config_dump('audiostore.storage_prices', 'WHERE NOT built_in');
GRANT SELECT ON audiostore.storage_prices TO PUBLIC;

CREATE VIEW audiostore.store_classes AS
    SELECT s.srvname::text COLLATE "C" AS store, o.provider COLLATE "C" AS provider,
           coalesce(upper(o.storage_class), CASE o.provider WHEN 'azure' THEN 'HOT' ELSE 'STANDARD' END) COLLATE "C"
               AS storage_class
    FROM pg_catalog.pg_foreign_server s
    JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'audiostore'
    CROSS JOIN LATERAL (
        SELECT max(option_value) FILTER (WHERE option_name = 'provider') AS provider,
               max(option_value) FILTER (WHERE option_name = 'storage_class') AS storage_class
        FROM pg_catalog.pg_options_to_table(s.srvoptions)) o;
COMMENT ON VIEW audiostore.store_classes IS 'Stores, their providers, and the class that an object has when nobody says otherwise';
COMMENT ON COLUMN audiostore.store_classes.store IS 'foreign server that names the store';
COMMENT ON COLUMN audiostore.store_classes.provider IS 'its option provider';
COMMENT ON COLUMN audiostore.store_classes.storage_class IS 'its option storage_class in capitals, else STANDARD (azure: HOT)';
GRANT SELECT ON audiostore.store_classes TO PUBLIC;

CREATE FUNCTION audiostore.storage_price(store text, storage_class text DEFAULT NULL, OUT provider text, OUT class text,
        OUT price_per_gb_month numeric, OUT minimum_days integer, OUT early_delete_fee numeric,
        OUT minimum_billable_bytes bigint, OUT currency text, OUT reason text)
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.provider, w.class, p.price_per_gb_month, coalesce(p.minimum_days, 0),
           coalesce(p.early_delete_fee, p.price_per_gb_month), coalesce(p.minimum_billable_bytes, 0), p.currency,
           CASE WHEN s.store IS NULL THEN format('there is no store "%s"', storage_price.store)
                WHEN p.provider IS NULL THEN format('storage_prices has no row for provider %s and class %s', s.provider, w.class)
                WHEN p.price_per_gb_month IS NULL THEN format('storage_prices has no price for provider %s and class %s (%s)',
                    s.provider, w.class, coalesce(p.source, 'set yours')) END
    FROM (SELECT) one
    LEFT JOIN audiostore.store_classes s ON s.store = storage_price.store
    CROSS JOIN LATERAL (SELECT coalesce(upper(nullif(storage_price.storage_class, '')), s.storage_class) AS class) w
    LEFT JOIN LATERAL (
        SELECT p.* FROM audiostore.storage_prices p
        WHERE p.provider = s.provider AND p.storage_class = w.class AND p.store IN (s.store, '')
        ORDER BY p.store DESC LIMIT 1) p ON true
$$;
COMMENT ON FUNCTION audiostore.storage_price(text, text) IS
    'What an object of this class (NULL: the one that the store gives by default) costs in this store: the row of storage_prices for the store itself, else for its provider. One row; early_delete_fee is price_per_gb_month where the table has none. Without a price it is NULL, and reason says why; reason is NULL otherwise';
