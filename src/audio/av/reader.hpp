// The reader for what phones and browsers upload and libsndfile refuses: MP4 (AAC, ALAC), CAF with AAC or Opus, WebM
// and Matroska, by libavformat and libavcodec. What would surprise you: it never goes back in a file; to seek it opens
// the file again and decodes up to the frame, which is exact whatever the container's index says.
#pragma once

#include <memory>

#include "audio/source.hpp"

namespace audiostore::audio {

// An OtherReader.
std::unique_ptr<Source> open_av(const Input& input);

}  // namespace audiostore::audio
