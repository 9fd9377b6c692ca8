-- A lease, from its beginning to one of its ends. All of it needs USAGE on the stores, and no rights on tables; a store
-- that is NULL is the default store.
CREATE FUNCTION audiostore.create_temporary_object(
    store name DEFAULT NULL, suffix text DEFAULT '', ttl interval DEFAULT '2 hours', purpose text DEFAULT NULL,
    metadata jsonb DEFAULT '{}', OUT key text, OUT upload_url text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_create_temporary_object';
COMMENT ON FUNCTION audiostore.create_temporary_object(name, text, interval, text, jsonb) IS
    'Leases a key for a scratch object: a random UUID and the suffix (a file name extension such as .wav, or nothing). upload_url takes a PUT of the object by a client, for as long as the lease lasts, 7 days at most; NULL where the provider cannot sign, as a local store: write it with put_object(). '
    'The object is deleted when ttl is over, unless promote_object() or extend_temporary_object() comes first; nobody has to do anything for that, and what a client uploads at the last moment goes as well. '
    'purpose and metadata are remembered in audiostore.temporary_objects. Errors: 22023 (suffix; ttl not positive or longer than 366 days; metadata no object), 42501, 42704 (no such store)';

CREATE FUNCTION audiostore.extend_temporary_object(store name, key text, ttl interval DEFAULT '2 hours') RETURNS timestamptz
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_extend_temporary_object';
COMMENT ON FUNCTION audiostore.extend_temporary_object(name, text, interval) IS
    'The lease lasts at least ttl from now on; returns when it ends. The upload URL is not extended. Errors: 22023 (ttl), 42704 (no such temporary object), 55000 (it has expired, was released or promoted, or is about to be)';

CREATE FUNCTION audiostore.release_temporary_object(store name, key text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_release_temporary_object';
COMMENT ON FUNCTION audiostore.release_temporary_object(name, text) IS
    'Ends a lease now: the delete of the object is queued. True when it did; false when there is nothing to release: the key is not known, or released, expired or promoted, or its promotion is queued (which removes it by itself), so that it can stand in any clean-up. After a failed promotion it gives that up, too. Errors: 42501';

CREATE FUNCTION audiostore.promote_object(
    store name, key text, to_store name, key_template text, params jsonb DEFAULT '{}', sidecar jsonb DEFAULT NULL)
    RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_promote_object';
COMMENT ON FUNCTION audiostore.promote_object(name, text, name, text, jsonb, jsonb) IS
    'Hands a temporary object over: queues its move to a permanent key, made of key_template and params, and returns that key at once, for the caller''s own row. get_object() and head_object() find the object under it from then on. The temporary one goes only when the permanent one is there, whole. Until then the lease does not end. '
    'The template has parameters in braces, {title}, each a member of params (string, number or boolean); {{ and }} are braces. Values are made safe: slashes, control characters and what file systems refuse become _, they are in Unicode normal form C, letters of all scripts stay; {title:ascii} has their diacritics removed and what is not ASCII then becomes _. Names that are too long are cut and get eight digits of their hash. '
    'sidecar: a JSON document that is written to sidecar_key() of the key, once the object is there. '
    'The same call again returns the same key and changes nothing; after a failure it tries again. Errors: 22023 (template, params; the parameter is named), 42602 (a key that the store cannot hold), 42704 (no such temporary object), 55000 (it has expired, or was released, or promoted to another key), 42501';

CREATE FUNCTION audiostore.sidecar_key(key text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'audiostore_sidecar_key';
COMMENT ON FUNCTION audiostore.sidecar_key(text) IS
    'Where the metadata sidecar of an object is: a/b.wav has a/b_metadata.json. In a tracked column, GENERATED ALWAYS AS (audiostore.sidecar_key(path)) STORED, it makes the sidecar go with the row';

CREATE FUNCTION audiostore.put_debug_object(
    store name, kind text, request_id text, data bytea, error_type text DEFAULT NULL) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'audiostore_put_debug_object';
COMMENT ON FUNCTION audiostore.put_debug_object(name, text, text, bytea, text) IS
    'Queues the upload of what a request took in (kind input) or gave back (output), for somebody who looks into it later, and returns its key: debug/debug-input-TIMESTAMP-REQUEST.caf, debug/debug-output-TIMESTAMP-REQUEST.mp3, and with an error_type debug/error-input-TIMESTAMP-TYPE.caf, debug/error-output-TIMESTAMP-TYPE.mp3. TIMESTAMP is the time of the call in UTC, with microseconds; request and type are made safe, and are in the object''s metadata as request-id and error-type as well. '
    'It is part of the transaction: after an error, call it in a new one. add_expiry_policy(store, ''debug/'', ''7 days'') removes them. Errors: 22004, 22023 (kind, request_id, error_type), 54000 (data too large), 42501';
