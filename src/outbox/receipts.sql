-- Receipts: what was done, for those who go on from there. Without one, an operation that is gone may as well have been
-- cancelled.
CREATE TABLE audiostore.operation_receipts (
    operation_id bigint PRIMARY KEY,
    done_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    etag text
);
COMMENT ON TABLE audiostore.operation_receipts IS
    'Operations that were queued with a receipt and are done, written in the transaction in which the operation goes; whoever asked for the receipt takes it away';
COMMENT ON COLUMN audiostore.operation_receipts.operation_id IS 'id that the operation had in audiostore.operations';
COMMENT ON COLUMN audiostore.operation_receipts.done_at IS 'when it was settled';
COMMENT ON COLUMN audiostore.operation_receipts.etag IS 'copy: etag of its source when the copy was there';
REVOKE ALL ON audiostore.operation_receipts FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audiostore.operation_receipts', '');
