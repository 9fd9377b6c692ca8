-- Segments: the units that go on air, and the states that they go through.
CREATE TABLE audiostore.segments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    program_id uuid REFERENCES audiostore.programs ON DELETE SET NULL,
    dj_id uuid REFERENCES audiostore.djs ON DELETE SET NULL,
    voice_id uuid REFERENCES audiostore.voices ON DELETE SET NULL,
    slot_type text,
    scheduled_at timestamptz NOT NULL DEFAULT now(),
    priority integer NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN (
        'queued', 'retrieving', 'generating', 'rendering', 'normalizing', 'ready', 'airing', 'aired', 'archived', 'failed')),
    title text,
    language text,
    script_md text,
    asset_id uuid REFERENCES audiostore.assets ON DELETE SET NULL,
    duration_seconds numeric(12,3) CHECK (duration_seconds >= 0 AND duration_seconds <> 'NaN'),
    retry_count integer NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
    max_retries integer NOT NULL DEFAULT 3 CHECK (max_retries >= 0),
    error text,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    state_changed_at timestamptz,
    queued_at timestamptz,
    retrieving_at timestamptz,
    generating_at timestamptz,
    rendering_at timestamptz,
    normalizing_at timestamptz,
    ready_at timestamptz,
    airing_at timestamptz,
    aired_at timestamptz,
    archived_at timestamptz,
    failed_at timestamptz
);
CREATE INDEX segments_ready ON audiostore.segments (scheduled_at, priority DESC, id) WHERE state = 'ready';
CREATE INDEX segments_airing ON audiostore.segments (program_id) WHERE state = 'airing';
CREATE INDEX segments_asset ON audiostore.segments (asset_id);
CREATE INDEX segments_state ON audiostore.segments (state, state_changed_at);
CREATE INDEX segments_aired_at ON audiostore.segments (aired_at);
CREATE INDEX segments_program ON audiostore.segments (program_id);
CREATE INDEX segments_dj ON audiostore.segments (dj_id);
CREATE INDEX segments_voice ON audiostore.segments (voice_id);

COMMENT ON TABLE audiostore.segments IS
    'What goes on air, from script to archive. state moves only as next_segment_states() says, and every move is timestamped';
COMMENT ON COLUMN audiostore.segments.program_id IS 'program that it belongs to; NULL: none';
COMMENT ON COLUMN audiostore.segments.dj_id IS 'who speaks';
COMMENT ON COLUMN audiostore.segments.voice_id IS 'with which voice';
COMMENT ON COLUMN audiostore.segments.slot_type IS 'news, talk, music ..., in the application''s own terms';
COMMENT ON COLUMN audiostore.segments.scheduled_at IS 'when it is to be aired: the airing order is scheduled_at, higher priority first, id';
COMMENT ON COLUMN audiostore.segments.priority IS 'higher first among segments of the same time';
COMMENT ON COLUMN audiostore.segments.state IS
    'queued, retrieving, generating, rendering, normalizing, ready, airing, aired, archived or failed; an INSERT may start '
    'anywhere, as imports and restores do';
COMMENT ON COLUMN audiostore.segments.language IS 'for example en-GB';
COMMENT ON COLUMN audiostore.segments.script_md IS 'what is said, Markdown';
COMMENT ON COLUMN audiostore.segments.asset_id IS 'its audio; several segments may share one asset';
COMMENT ON COLUMN audiostore.segments.duration_seconds IS 'of its audio';
COMMENT ON COLUMN audiostore.segments.retry_count IS 'how often it went from failed back to queued; counted by the trigger';
COMMENT ON COLUMN audiostore.segments.max_retries IS 'requeue_segment() refuses after so many';
COMMENT ON COLUMN audiostore.segments.error IS 'why it failed; cleared when it is queued again';
COMMENT ON COLUMN audiostore.segments.metadata IS 'what else the application wants to keep';
COMMENT ON COLUMN audiostore.segments.state_changed_at IS 'when it came into its state';
COMMENT ON COLUMN audiostore.segments.queued_at IS 'when it was last queued; the times of later states are cleared with that';
COMMENT ON COLUMN audiostore.segments.retrieving_at IS 'when it came into the state retrieving';
COMMENT ON COLUMN audiostore.segments.generating_at IS 'when it came into the state generating';
COMMENT ON COLUMN audiostore.segments.rendering_at IS 'when it came into the state rendering';
COMMENT ON COLUMN audiostore.segments.normalizing_at IS 'when it came into the state normalizing';
COMMENT ON COLUMN audiostore.segments.ready_at IS 'when it came into the state ready';
COMMENT ON COLUMN audiostore.segments.airing_at IS 'when it went on air';
COMMENT ON COLUMN audiostore.segments.aired_at IS 'when it went off air';
COMMENT ON COLUMN audiostore.segments.archived_at IS 'when it was archived';
COMMENT ON COLUMN audiostore.segments.failed_at IS 'when it last failed';
COMMENT ON INDEX audiostore.segments_ready IS 'what can be aired, in airing order';
COMMENT ON INDEX audiostore.segments_airing IS 'what is on air';
COMMENT ON INDEX audiostore.segments_asset IS 'segments of an asset';
COMMENT ON INDEX audiostore.segments_state IS 'segments in a state, longest there first';
COMMENT ON INDEX audiostore.segments_aired_at IS 'aired segments by age, for policies';
COMMENT ON INDEX audiostore.segments_program IS 'segments of a program';
COMMENT ON INDEX audiostore.segments_dj IS 'segments of a DJ';
COMMENT ON INDEX audiostore.segments_voice IS 'segments of a voice';
SELECT pg_catalog.pg_extension_config_dump('audiostore.segments', '');
