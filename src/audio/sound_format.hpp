// libsndfile's format numbers in our words.
#pragma once

#include "audio/wire.hpp"

namespace audiostore::audio {

wire::Codec codec_of(int sound_format);
wire::Container container_of(int sound_format);
int bit_depth_of(int sound_format);

}  // namespace audiostore::audio
