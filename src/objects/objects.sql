-- Objects by key. Every function checks USAGE on the store (42501) and takes NULL for the default store, the setting
-- audiostore.default_store. What is queued takes effect after the commit, in order for each key; the functions return
-- the id of the operation.
CREATE FUNCTION audiostore.put_object(
    store name, key text, data bytea, content_type text DEFAULT NULL, metadata jsonb DEFAULT '{}') RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_put_object';
COMMENT ON FUNCTION audiostore.put_object(name, text, bytea, text, jsonb) IS
    'Queues the upload of data (at most 1 GB - 64 kB) and returns the operation''s id. content_type is a media type such '
    'as audio/mpeg; metadata is a flat JSON object of strings, at most 2048 bytes. A pending delete of the key is taken '
    'back. Errors: 22004 for NULL, 42602 for a key that the store cannot hold, 54000 when too large';

CREATE FUNCTION audiostore.get_object(store name, key text, start bigint DEFAULT 0, length bigint DEFAULT NULL)
    RETURNS bytea
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 AS 'MODULE_PATHNAME', 'audiostore_get_object';
COMMENT ON FUNCTION audiostore.get_object(name, text, bigint, bigint) IS
    'Fetches an object, or length bytes of it from byte start (counted from 0; fewer at its end), now: the transaction '
    'stays open meanwhile. Sees puts, copies and moves that are still queued, this transaction''s and committed ones; an object whose '
    'delete is still queued is still there. Errors: 42704 when absent, 22023 when start is beyond its end, 54000 when '
    'more than 1 GB - 64 kB would come back';

CREATE FUNCTION audiostore.head_object(
    store name, key text, OUT size bigint, OUT etag text, OUT last_modified timestamptz, OUT storage_class text,
    OUT content_type text, OUT metadata jsonb)
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 AS 'MODULE_PATHNAME', 'audiostore_head_object';
COMMENT ON FUNCTION audiostore.head_object(name, text) IS
    'Describes an object, now: size in bytes, etag, time of the last write, storage class, media type, metadata. All NULL '
    'when it is absent. Sees queued puts as get_object does; those have no etag yet';

CREATE FUNCTION audiostore.list_objects(store name, prefix text DEFAULT '')
    RETURNS TABLE (key text, size bigint, etag text, last_modified timestamptz, storage_class text)
    LANGUAGE c VOLATILE PARALLEL RESTRICTED COST 10000 ROWS 10000 AS 'MODULE_PATHNAME', 'audiostore_list_objects';
COMMENT ON FUNCTION audiostore.list_objects(name, text) IS
    'Lists the objects whose key begins with prefix, in byte order of the key, now, and from the store alone: queued '
    'operations do not show. For conditions, joins and LIMIT use a foreign table (IMPORT FOREIGN SCHEMA)';

CREATE FUNCTION audiostore.delete_object(store name, key text) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_delete_object';
COMMENT ON FUNCTION audiostore.delete_object(name, text) IS
    'Queues the removal of an object, to be done once the store''s delete_grace is over, and returns the operation''s id; '
    'a pending delete of the key is replaced, one on its way stands and its id is returned. Errors: 55006 while a live row of a tracked column holds '
    'the key';

CREATE FUNCTION audiostore.expire_object(store name, key text, at timestamptz) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_expire_object';
COMMENT ON FUNCTION audiostore.expire_object(name, text, timestamptz) IS
    'Queues the removal of an object for a time to come and returns the operation''s id: for objects that a client or a '
    'worker is about to write and that nobody may ever claim. A row that comes to hold the key, or a put or copy onto it, '
    'cancels it; so does a live row that holds the key at that time. It replaces a pending delete of the key. '
    'Errors: 22023 when the time is not finite';

CREATE FUNCTION audiostore.copy_object(store name, key text, to_store name, to_key text) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_copy_object';
COMMENT ON FUNCTION audiostore.copy_object(name, text, name, text) IS
    'Queues a copy, with metadata and media type, onto to_key of to_store (NULL: the default store), and returns the '
    'operation''s id. Errors: 22023 when source and target are the same';

CREATE FUNCTION audiostore.move_object(store name, key text, to_store name, to_key text) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_move_object';
COMMENT ON FUNCTION audiostore.move_object(name, text, name, text) IS
    'Queues a copy as copy_object does, and the removal of the source once the copy is there. Errors: 55006 while a live '
    'row of a tracked column holds the source: copy it and update the row instead';

CREATE FUNCTION audiostore.set_storage_class(store name, key text, storage_class text) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_set_storage_class';
COMMENT ON FUNCTION audiostore.set_storage_class(name, text, text) IS
    'Queues a change of the storage class, named as the provider names it (STANDARD_IA, GLACIER_IR, ...), and returns the '
    'operation''s id';

CREATE FUNCTION audiostore.signed_url(
    store name, key text, method text DEFAULT 'GET', expires_in interval DEFAULT '1 hour', headers jsonb DEFAULT '{}',
    query jsonb DEFAULT '{}', at timestamptz DEFAULT now()) RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'audiostore_signed_url';
COMMENT ON FUNCTION audiostore.signed_url(name, text, text, interval, jsonb, jsonb, timestamptz) IS
    'A URL with which anybody can GET, HEAD, PUT or DELETE the object for expires_in (1 second to 7 days) from the time at '
    'on; computed here, without the network. headers: those that the client must send exactly so; query: further '
    'parameters, such as response-content-disposition. A local store has URLs only with the option public_url, and they '
    'are not signed. The object need not exist';

CREATE FUNCTION audiostore.verify_store(store name) RETURNS TABLE ("check" text, ok boolean, detail text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 ROWS 8 AS 'MODULE_PATHNAME', 'audiostore_verify_store';
COMMENT ON FUNCTION audiostore.verify_store(name) IS
    'Tries a store with the caller''s credentials: put, head, get, get range, list, copy, signed url, delete of a probe '
    'below .audiostore-verify/, which is removed in any case. ok is NULL where the provider does not have it or it could '
    'not be tried; detail says what was seen or what is missing';
