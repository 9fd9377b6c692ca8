// Which container is this? Decided by us from the first bytes, before a library sees them, so that what no library
// should guess at (raw PCM, pictures, text) is refused by name.
#pragma once

#include "audio/source.hpp"
#include "audio/wire.hpp"

namespace audiostore::audio {

struct Sniffed {
  wire::Container container = wire::Container::unknown;
  bool other_reader = false;  // libsndfile does not read this
};

// Throws Failure (not_audio, unsupported) with what it looks like.
Sniffed sniff(const Input& input);

// The words for messages: "RF64", "Matroska".
const char* name(wire::Container container);

}  // namespace audiostore::audio
