// The audio layer's one door: a request and its descriptors in, a reply out. Linked into the decoder only, and run
// there behind its confinement: no path is opened, no thread started, and memory stays bounded however long the
// audio is.
#pragma once

#include <memory>

#include "audio/source.hpp"
#include "audio/wire.hpp"

namespace audiostore::audio {

// Opens what libsndfile cannot (audio/av/). Absent in the decoder that starts fast.
using OtherReader = std::unique_ptr<Source> (*)(const Input& input);

// Never throws: what goes wrong is the reply's status, message and detail. output is a descriptor to write to from its
// current position (-1 for operations without output).
wire::Reply perform(const wire::Request& request, int input, int output, OtherReader other_reader) noexcept;

}  // namespace audiostore::audio
