// The decoder's figures under the names that validation_rules, assets.mastering and docs/audio.md use.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "audio/wire.hpp"

namespace audiostore::mastering {

std::string_view container_name(audio::wire::Container container);
std::string_view codec_name(audio::wire::Codec codec);
std::string_view outcome_name(audio::wire::Outcome outcome);

// Of a reply to master, as validate_audio_figures() reads them: those of the result, and those of the source with the
// suffix _before. Digital silence (-infinity) and what could not be measured are absent, as JSON has no number for
// them.
nlohmann::json figures_of(const audio::wire::Reply& reply, double target_lufs);

}  // namespace audiostore::mastering
