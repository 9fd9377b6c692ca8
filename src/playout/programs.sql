-- What segments refer to: voices, the DJs who speak with them, and the programs that they host.
CREATE TABLE audiostore.voices (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    provider text,
    model text,
    language text,
    settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE audiostore.voices IS 'Voices of the application''s speech synthesis';
COMMENT ON COLUMN audiostore.voices.provider IS 'speech synthesis that has it, in the application''s own terms';
COMMENT ON COLUMN audiostore.voices.model IS 'its name there';
COMMENT ON COLUMN audiostore.voices.language IS 'for example en-GB';
COMMENT ON COLUMN audiostore.voices.settings IS 'speed, pitch ...';
SELECT pg_catalog.pg_extension_config_dump('audiostore.voices', '');

CREATE TABLE audiostore.djs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    voice_id uuid REFERENCES audiostore.voices ON DELETE SET NULL,
    personality text,
    language text,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX djs_voice ON audiostore.djs (voice_id);
COMMENT ON TABLE audiostore.djs IS 'Hosts';
COMMENT ON COLUMN audiostore.djs.voice_id IS 'voice that they usually speak with';
COMMENT ON COLUMN audiostore.djs.personality IS 'how they speak: part of what the application tells its text generation';
COMMENT ON COLUMN audiostore.djs.language IS 'for example en-GB';
COMMENT ON INDEX audiostore.djs_voice IS 'DJs of a voice';
SELECT pg_catalog.pg_extension_config_dump('audiostore.djs', '');

CREATE TABLE audiostore.programs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    description text,
    dj_id uuid REFERENCES audiostore.djs ON DELETE SET NULL,
    language text,
    enabled boolean NOT NULL DEFAULT true,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX programs_dj ON audiostore.programs (dj_id);
COMMENT ON TABLE audiostore.programs IS 'Programs of the station; at most one segment of each is on air at a time';
COMMENT ON COLUMN audiostore.programs.dj_id IS 'its usual host';
COMMENT ON COLUMN audiostore.programs.language IS 'for example en-GB';
COMMENT ON COLUMN audiostore.programs.enabled IS 'whether schedulers may make segments for it';
COMMENT ON INDEX audiostore.programs_dj IS 'programs of a DJ';
SELECT pg_catalog.pg_extension_config_dump('audiostore.programs', '');
