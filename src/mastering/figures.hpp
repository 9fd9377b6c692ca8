// The decoder's figures as validation_rules, assets.mastering and docs/radio.md name them.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "audio/wire.hpp"

namespace audiostore::mastering {

// Of a reply to master, as validate_audio_figures() reads them: those of the result, and in the member "before" those
// of the source. Digital silence (-infinity) and what could not be measured are absent: JSON has no number for them.
nlohmann::json figures_of(const audio::wire::Reply& reply, double target_lufs);

}  // namespace audiostore::mastering
