// Other sample rates and channel counts, as a source over a source.
#pragma once

#include <memory>

#include "audio/source.hpp"

namespace audiostore::audio {

// The source itself where nothing has to change. Throws Failure (invalid_argument) for channels that no standard
// downmix gives. The inner source has to outlive the result.
std::unique_ptr<Source> resampled(Source& inner, int sample_rate);
std::unique_ptr<Source> mixed(Source& inner, int channels);

}  // namespace audiostore::audio
