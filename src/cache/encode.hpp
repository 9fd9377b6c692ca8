// What cache_put() stores of the audio it is given.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pg/guard.hpp"

namespace audiostore::cache {

struct RawAudio {
  Datum audio = 0;  // bytea
  std::optional<std::int32_t> duration_ms;
  std::int32_t sample_rate = 0;
  std::int32_t channels = 0;
  std::string_view compression;
};

struct Audio {
  Datum bytes = 0;  // bytea, not compressed by PostgreSQL
  std::size_t size = 0;
  std::int32_t duration_ms = 0;
  std::string compression;
};

// Opus is made of WAV audio and of raw samples (pcm_s16le); anything else is taken as it is.
Audio encode(const RawAudio& raw);

}  // namespace audiostore::cache
