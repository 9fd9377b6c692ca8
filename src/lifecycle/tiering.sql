-- Tiering: old objects change their storage class or move to another store, and their rows follow.
CREATE FUNCTION audiostore.add_tiering_policy(relation regclass, after interval, age_column name,
        storage_class text DEFAULT NULL, to_store name DEFAULT NULL, condition text DEFAULT 'true',
        key_column name DEFAULT NULL, assignments jsonb DEFAULT '{}', schedule interval DEFAULT '1 hour',
        to_prefix text DEFAULT '', class_expression text DEFAULT NULL, name text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_add_tiering_policy';
