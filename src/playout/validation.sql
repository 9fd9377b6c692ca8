-- What mastered audio has to look like before it may be aired.
CREATE TABLE audiostore.validation_rules (
    name text PRIMARY KEY,
    metric text NOT NULL,
    minimum double precision,
    maximum double precision,
    kinds text[],
    severity text NOT NULL DEFAULT 'error' CHECK (severity IN ('error', 'warning')),
    required boolean NOT NULL DEFAULT false,
    enabled boolean NOT NULL DEFAULT true,
    description text NOT NULL DEFAULT '',
    CONSTRAINT validation_rules_limit_check CHECK (minimum IS NOT NULL OR maximum IS NOT NULL OR required)
);
COMMENT ON TABLE audiostore.validation_rules IS
    'Rules for mastered audio. Change the limits, switch rules off with enabled, add your own: an INSERT under a name that '
    'exists replaces that rule, which is also how a dump restores them';
COMMENT ON COLUMN audiostore.validation_rules.metric IS 'figure that it looks at, see validate_audio_figures()';
COMMENT ON COLUMN audiostore.validation_rules.minimum IS 'smallest value that passes; NULL: none';
COMMENT ON COLUMN audiostore.validation_rules.maximum IS 'largest value that passes; NULL: none';
COMMENT ON COLUMN audiostore.validation_rules.kinds IS 'kinds of assets that it is for; NULL: all';
COMMENT ON COLUMN audiostore.validation_rules.severity IS 'error: the audio is not aired; warning: it is only noted';
COMMENT ON COLUMN audiostore.validation_rules.required IS 'whether audio without this figure breaks it; else it is not looked at';
COMMENT ON COLUMN audiostore.validation_rules.enabled IS 'whether it is looked at';
COMMENT ON COLUMN audiostore.validation_rules.description IS 'for people';
COMMENT ON CONSTRAINT validation_rules_limit_check ON audiostore.validation_rules IS 'a rule asks for something';

CREATE FUNCTION audiostore.replace_validation_rule() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM audiostore.validation_rules r WHERE r.name = NEW.name;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION audiostore.replace_validation_rule() FROM PUBLIC;
COMMENT ON FUNCTION audiostore.replace_validation_rule() IS 'Row trigger: a new rule replaces the one of the same name';
CREATE TRIGGER replace_rule BEFORE INSERT ON audiostore.validation_rules
    FOR EACH ROW EXECUTE FUNCTION audiostore.replace_validation_rule();
COMMENT ON TRIGGER replace_rule ON audiostore.validation_rules IS
    'a restored dump brings its own version of the rules that CREATE EXTENSION made';

INSERT INTO audiostore.validation_rules (name, metric, minimum, maximum, kinds, severity, required, description) VALUES
    ('duration', 'duration_seconds', 0.3, 21600, NULL, 'error', true, 'seconds'),
    ('silence', 'silence_fraction', NULL, 0.5, NULL, 'error', true, 'part of the time in stretches below -60 dBFS'),
    ('longest_silence', 'longest_silence_seconds', NULL, 5, '{speech,music}', 'error', true, 'dead air, seconds'),
    ('clipping', 'clipped_fraction', NULL, 0.0001, NULL, 'error', true, 'part of the samples in runs at full scale'),
    ('dc_offset', 'dc_offset', NULL, 0.02, NULL, 'error', true, 'largest mean of a channel, full scale 1'),
    ('channels', 'channels', 1, 2, NULL, 'error', true, 'mono or stereo'),
    ('sample_rate', 'sample_rate', 8000, 192000, NULL, 'error', true, 'Hz'),
    ('true_peak', 'true_peak_dbtp', NULL, -0.5, NULL, 'error', false, 'dBTP; absent in digital silence'),
    ('loudness', 'loudness_error_lu', NULL, 2, NULL, 'error', false, 'distance from the target, LU; absent when under 400 ms'),
    ('loudness_exact', 'loudness_error_lu', NULL, 0.5, NULL, 'warning', false, 'distance from the target, LU');
GRANT SELECT ON audiostore.validation_rules TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('audiostore.validation_rules', '');

CREATE FUNCTION audiostore.validate_audio_figures(figures jsonb, kind text DEFAULT NULL) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    WITH given AS (
        SELECT (figures ->> 'duration_seconds')::double precision AS duration,
               (figures ->> 'frames')::double precision * (figures ->> 'channels')::double precision AS samples
    ), extended AS (
        -- Figures that are given win over those that follow from others.
        SELECT jsonb_build_object(
                   'silence_fraction', (figures ->> 'silence_seconds')::double precision / nullif(duration, 0),
                   'clipped_fraction', (figures ->> 'clipped_samples')::double precision / nullif(samples, 0),
                   'loudness_error_lu', abs((figures ->> 'integrated_lufs')::double precision
                                            - (figures ->> 'target_lufs')::double precision)) || figures AS all_figures
        FROM given
    ), checks AS (
        SELECT r.*, (all_figures ->> r.metric)::double precision AS value
        FROM audiostore.validation_rules r, extended
        WHERE r.enabled AND (r.kinds IS NULL OR validate_audio_figures.kind IS NULL OR validate_audio_figures.kind = ANY (r.kinds))
    ), judged AS (
        SELECT c.*, CASE WHEN c.value IS NULL THEN CASE WHEN c.required THEN false END
                         ELSE c.value <> 'NaN' AND c.value >= coalesce(c.minimum, '-infinity')
                              AND c.value <= coalesce(c.maximum, 'infinity') END AS passed
        FROM checks c
    )
    SELECT jsonb_build_object(
        'passed', coalesce(bool_and(j.passed) FILTER (WHERE j.severity = 'error'), true),
        'checks', coalesce(jsonb_agg(jsonb_build_object(
            'rule', j.name, 'metric', j.metric, 'value', j.value, 'minimum', j.minimum, 'maximum', j.maximum,
            'severity', j.severity, 'passed', j.passed) ORDER BY j.name), '[]'))
    FROM judged j
$$;
COMMENT ON FUNCTION audiostore.validate_audio_figures(jsonb, text) IS
    'What the enabled validation_rules for this kind of asset (NULL: all) say about audio with these figures: {"passed": '
    'boolean, "checks": [...]}, see assets.validation. Figures: duration_seconds, frames, sample_rate (Hz), channels, '
    'bit_depth, bitrate; integrated_lufs, loudness_range_lu, max_momentary_lufs, max_short_term_lufs, true_peak_dbtp, '
    'sample_peak_dbfs, all of the result; clipped_samples, silence_seconds, leading_silence_seconds, '
    'trailing_silence_seconds, longest_silence_seconds, dc_offset; target_lufs, gain_db, max_reduction_db, '
    'limited_seconds; before: an object with figures of the raw audio. Figures that follow: silence_fraction = silence_seconds / duration_seconds, clipped_fraction = '
    'clipped_samples / (frames x channels), loudness_error_lu = |integrated_lufs - target_lufs|. A figure that is absent or '
    'null breaks required rules and no others. NaN passes nothing. Errors: 22P02 for a figure that is not a number';

CREATE FUNCTION audiostore.broken_rules(validation jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'broken rules: ' || string_agg(
        format('%s (%s is %s, must be %s)', c ->> 'rule', c ->> 'metric', coalesce(c ->> 'value', 'unknown'),
               concat_ws(' and ', 'at least ' || (c ->> 'minimum'), 'at most ' || (c ->> 'maximum'))), ', ' ORDER BY c ->> 'rule')
    FROM jsonb_array_elements(validation -> 'checks') AS c
    WHERE c ->> 'severity' = 'error' AND NOT (c ->> 'passed')::boolean
$$;
COMMENT ON FUNCTION audiostore.broken_rules(jsonb) IS
    'The rules that failed in a value of assets.validation, in words; NULL when none did';
