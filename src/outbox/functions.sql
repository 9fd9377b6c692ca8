CREATE FUNCTION audiostore.retry_operation(id bigint) RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_retry_operation';
COMMENT ON FUNCTION audiostore.retry_operation(bigint) IS
    'Makes a dead or waiting operation due at once, with all its attempts before it; true. Errors: 42704 when there is no such operation, 55006 while it is running, 42501 without USAGE on its store';

CREATE FUNCTION audiostore.cancel_operation(id bigint) RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_cancel_operation';
COMMENT ON FUNCTION audiostore.cancel_operation(bigint) IS
    'Drops an operation that is not running; true. Where a put, copy or move that is dropped may have written its key already and no live row holds that key, a delete of it is queued. Errors: 42704 when there is no such operation, 55006 while it is running, 42501 without USAGE on its store';

CREATE FUNCTION audiostore.undelete(store name, key text) RETURNS boolean
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'audiostore_undelete';
COMMENT ON FUNCTION audiostore.undelete(name, text) IS
    'Takes back the pending delete of a key; false when there is none. The object stays, with or without a row. Errors: 55006 when the delete is on its way or may have reached the store already, 42501 without USAGE on the store';
