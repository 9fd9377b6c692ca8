-- The music library: what a track or a jingle is; its audio is an asset like any other.
CREATE TABLE audiostore.music_tracks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    asset_id uuid REFERENCES audiostore.assets ON DELETE SET NULL,
    title text NOT NULL,
    artist text,
    album text,
    genre text,
    mood text,
    year integer,
    bpm numeric(6,2) CHECK (bpm > 0),
    license text,
    enabled boolean NOT NULL DEFAULT true,
    last_played_at timestamptz,
    play_count integer NOT NULL DEFAULT 0 CHECK (play_count >= 0),
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX music_tracks_asset ON audiostore.music_tracks (asset_id);
COMMENT ON TABLE audiostore.music_tracks IS
    'Music library. The audio is an asset of the kind music; it goes with the asset, not with the track';
COMMENT ON COLUMN audiostore.music_tracks.asset_id IS 'its audio; NULL: none yet, or not any more';
COMMENT ON COLUMN audiostore.music_tracks.bpm IS 'beats per minute';
COMMENT ON COLUMN audiostore.music_tracks.license IS 'terms under which it may be aired';
COMMENT ON COLUMN audiostore.music_tracks.enabled IS 'whether schedulers may choose it';
COMMENT ON COLUMN audiostore.music_tracks.last_played_at IS 'end of the last airing, set by report_played()';
COMMENT ON COLUMN audiostore.music_tracks.play_count IS 'airings so far, counted by report_played()';
COMMENT ON COLUMN audiostore.music_tracks.metadata IS 'what else the application wants to keep';
COMMENT ON INDEX audiostore.music_tracks_asset IS 'tracks of an asset';
SELECT pg_catalog.pg_extension_config_dump('audiostore.music_tracks', '');

CREATE TABLE audiostore.jingles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    asset_id uuid REFERENCES audiostore.assets ON DELETE SET NULL,
    title text NOT NULL,
    kind text NOT NULL DEFAULT 'station_id' CHECK (length(kind) > 0),
    enabled boolean NOT NULL DEFAULT true,
    last_played_at timestamptz,
    play_count integer NOT NULL DEFAULT 0 CHECK (play_count >= 0),
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX jingles_asset ON audiostore.jingles (asset_id);
COMMENT ON TABLE audiostore.jingles IS
    'Station identifications, intros, stings ... The audio is an asset of the kind jingle; it goes with the asset';
COMMENT ON COLUMN audiostore.jingles.asset_id IS 'its audio; NULL: none yet, or not any more';
COMMENT ON COLUMN audiostore.jingles.kind IS 'station_id, intro, outro, sting ..., in the application''s own terms';
COMMENT ON COLUMN audiostore.jingles.enabled IS 'whether schedulers may choose it';
COMMENT ON COLUMN audiostore.jingles.last_played_at IS 'end of the last airing, set by report_played()';
COMMENT ON COLUMN audiostore.jingles.play_count IS 'airings so far, counted by report_played()';
COMMENT ON COLUMN audiostore.jingles.metadata IS 'what else the application wants to keep';
COMMENT ON INDEX audiostore.jingles_asset IS 'jingles of an asset';
SELECT pg_catalog.pg_extension_config_dump('audiostore.jingles', '');
