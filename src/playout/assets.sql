-- Assets: one row for each audio file of the station. Tracked by storage_path (see src/tracking/builtin.sql): when
-- mastering moves the row from raw/ to final/, no live row holds the raw object any more, and it goes.
CREATE TABLE audiostore.assets (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    kind text NOT NULL DEFAULT 'speech' CHECK (kind IN ('speech', 'music', 'jingle', 'sound')),
    state text NOT NULL DEFAULT 'raw' CHECK (
        state IN ('uploading', 'raw', 'mastering', 'final', 'failed', 'missing', 'deleted')),
    store text COLLATE "C" DEFAULT audiostore.default_store(),
    storage_provider varchar(50),
    storage_path text COLLATE "C",
    raw_path text COLLATE "C",
    size bigint CHECK (size >= 0),
    content_type varchar(255),
    content_hash varchar(64) COLLATE "C" CHECK (content_hash ~ '^[0-9a-f]{64}$'),
    duration_seconds numeric(12,3) CHECK (duration_seconds >= 0 AND duration_seconds <> 'NaN'),
    sample_rate integer CHECK (sample_rate > 0),
    channels integer CHECK (channels > 0),
    lufs double precision,
    peak_db double precision,
    lufs_before double precision,
    peak_db_before double precision,
    gain_db double precision,
    mastering jsonb,
    validation jsonb,
    validation_passed boolean,
    error text,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    mastered_at timestamptz,
    missing_since timestamptz,
    upload_expires_at timestamptz,
    CONSTRAINT assets_upload_check CHECK (state <> 'uploading' OR upload_expires_at IS NOT NULL)
);

CREATE INDEX assets_storage_path ON audiostore.assets (storage_path);
CREATE UNIQUE INDEX assets_content ON audiostore.assets (content_hash, store)
    WHERE content_hash IS NOT NULL AND state NOT IN ('uploading', 'deleted');
CREATE UNIQUE INDEX assets_raw_path ON audiostore.assets (raw_path, store);
CREATE INDEX assets_created_at ON audiostore.assets (created_at);
CREATE INDEX assets_mastered_at ON audiostore.assets (mastered_at);
CREATE INDEX assets_uploading ON audiostore.assets (upload_expires_at) WHERE upload_expires_at IS NOT NULL;

CREATE TRIGGER fill_storage_provider BEFORE INSERT ON audiostore.assets
    FOR EACH ROW WHEN (NEW.storage_provider IS NULL AND NEW.store IS NOT NULL)
    EXECUTE FUNCTION audiostore.fill_storage_provider();
CREATE TRIGGER follow_store BEFORE UPDATE OF store ON audiostore.assets
    FOR EACH ROW WHEN (NEW.store IS DISTINCT FROM OLD.store
                       AND NEW.storage_provider IS NOT DISTINCT FROM OLD.storage_provider)
    EXECUTE FUNCTION audiostore.fill_storage_provider();

COMMENT ON TABLE audiostore.assets IS
    'Audio files of the station. A row whose state is not uploading or deleted owns the object storage_path of its store: '
    'DELETE the row, or set its state to deleted, and the object goes when no other live row holds it';
COMMENT ON COLUMN audiostore.assets.kind IS 'speech, music, jingle or sound';
COMMENT ON COLUMN audiostore.assets.state IS
    'uploading: a client has a URL to PUT it (request_segment_upload); raw: stored, waits for mastering; mastering; final: '
    'mastered, or imported ready to air; failed: mastering gave up, see error; missing: an audit found no object; deleted: '
    'lets go of the object';
COMMENT ON COLUMN audiostore.assets.store IS
    'foreign server that holds the object; default: the setting audiostore.default_store';
COMMENT ON COLUMN audiostore.assets.storage_provider IS
    'local, s3 ...: filled from the foreign server when NULL, and follows a change of store';
COMMENT ON COLUMN audiostore.assets.storage_path IS
    'key of the object in the store: raw/... until it is mastered, then final/<id>.wav; tracked';
COMMENT ON COLUMN audiostore.assets.raw_path IS 'key that the raw audio has, or had; not tracked';
COMMENT ON COLUMN audiostore.assets.size IS 'bytes of the object';
COMMENT ON COLUMN audiostore.assets.content_type IS 'media type of the object, for example audio/wav';
COMMENT ON COLUMN audiostore.assets.content_hash IS
    'SHA-256 of the raw audio, hexadecimal, lower case; one live asset of a store has it, so equal audio is stored once';
COMMENT ON COLUMN audiostore.assets.duration_seconds IS 'seconds';
COMMENT ON COLUMN audiostore.assets.sample_rate IS 'Hz';
COMMENT ON COLUMN audiostore.assets.channels IS '1 = mono, 2 = stereo';
COMMENT ON COLUMN audiostore.assets.lufs IS 'integrated loudness of the final audio, LUFS (ITU-R BS.1770-4); NULL where it cannot be measured';
COMMENT ON COLUMN audiostore.assets.peak_db IS 'true peak of the final audio, dBTP';
COMMENT ON COLUMN audiostore.assets.lufs_before IS 'integrated loudness of the raw audio, LUFS';
COMMENT ON COLUMN audiostore.assets.peak_db_before IS 'true peak of the raw audio, dBTP';
COMMENT ON COLUMN audiostore.assets.gain_db IS 'static gain that mastering applied, dB';
COMMENT ON COLUMN audiostore.assets.mastering IS 'all figures that the decoder returned for it, see validate_audio_figures()';
COMMENT ON COLUMN audiostore.assets.validation IS
    'outcome of the rules in validation_rules: {"passed": ..., "checks": [{"rule", "metric", "value", "minimum", "maximum", "severity", "passed"}]}';
COMMENT ON COLUMN audiostore.assets.validation_passed IS 'whether it may be aired; NULL: not validated, as imported files are';
COMMENT ON COLUMN audiostore.assets.error IS 'why mastering failed, or which rules it broke';
COMMENT ON COLUMN audiostore.assets.metadata IS 'what else the application wants to keep';
COMMENT ON COLUMN audiostore.assets.mastered_at IS 'when mastering ended well';
COMMENT ON COLUMN audiostore.assets.missing_since IS 'since when an audit finds no object; such assets are not played';
COMMENT ON COLUMN audiostore.assets.upload_expires_at IS
    'while uploading: until then the upload can be confirmed; later, what was uploaded is deleted';
COMMENT ON CONSTRAINT assets_upload_check ON audiostore.assets IS 'an upload ends some time';
COMMENT ON INDEX audiostore.assets_created_at IS 'assets by age, for policies';
COMMENT ON INDEX audiostore.assets_mastered_at IS 'mastered audio by age, for policies';
COMMENT ON INDEX audiostore.assets_storage_path IS 'which rows hold this key';
COMMENT ON INDEX audiostore.assets_content IS 'one live asset for each content and store';
COMMENT ON INDEX audiostore.assets_raw_path IS 'which asset a raw key was given out for';
COMMENT ON INDEX audiostore.assets_uploading IS 'uploads that were not confirmed';
COMMENT ON TRIGGER fill_storage_provider ON audiostore.assets IS 'storage_provider from the store, where not given';
COMMENT ON TRIGGER follow_store ON audiostore.assets IS 'storage_provider from the new store, unless given too';
SELECT pg_catalog.pg_extension_config_dump('audiostore.assets', '');
