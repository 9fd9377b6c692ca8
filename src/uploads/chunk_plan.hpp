// Where an upload is cut, in whole milliseconds: all chunks have the same length but the last, which ends where the
// upload ends. No floating point and no running sum, so there is neither gap nor overlap.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

namespace audiostore::uploads {

// The most that numeric(10,3) seconds can say.
inline constexpr std::int64_t kLongestMilliseconds = 9'999'999'999;

struct Chunk {
  std::int64_t start;
  std::int64_t end;
};

struct ChunkPlan {
  std::int64_t duration;  // milliseconds
  std::int64_t length;    // of each chunk but the last
  std::int32_t count;

  Chunk chunk(std::int32_t index) const {
    const std::int64_t start = std::int64_t{index} * length;
    return {.start = start, .end = std::min(start + length, duration)};
  }
};

// Both are positive and at most kLongestMilliseconds. None when an integer cannot count the chunks.
inline std::optional<ChunkPlan> plan_chunks(std::int64_t duration, std::int64_t length) {
  const std::int64_t count = (duration + length - 1) / length;
  if (count > std::numeric_limits<std::int32_t>::max()) return std::nullopt;
  return ChunkPlan{.duration = duration, .length = length, .count = static_cast<std::int32_t>(count)};
}

}  // namespace audiostore::uploads
