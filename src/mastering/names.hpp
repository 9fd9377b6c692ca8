// The names that SQL knows things by: containers, codecs, formats, tags, outcomes.
#pragma once

#include <string_view>

#include "audio/wire.hpp"

namespace audiostore::mastering {

std::string_view name_of(audio::wire::Container container);
std::string_view name_of(audio::wire::Codec codec);
std::string_view name_of(audio::wire::Tag tag);
std::string_view name_of(audio::wire::Outcome outcome);

// Throws (22023) for a format that cannot be written, naming those that can.
audio::wire::Format format_named(std::string_view name);

}  // namespace audiostore::mastering
