// Minimum, maximum and root mean square of each of `points` stretches of the audio, all channels together. Point i
// covers the frames from i * frames / points to (i + 1) * frames / points, rounded down, so that every frame is in
// exactly one of them. With fewer frames than points, a point without a frame of its own shows the one that follows.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "audio/operations.hpp"

namespace audiostore::audio {

namespace {

class Points {
 public:
  Points(std::size_t points, std::uint64_t frames, std::size_t channels)
      : points_(points), frames_(frames), channels_(channels), values_(3 * points), counts_(points) {}

  void add(std::span<const float> block);
  void finish();
  std::span<const float> values() const { return values_; }

 private:
  std::uint64_t begin(std::size_t point) const {
    return static_cast<std::uint64_t>(static_cast<unsigned __int128>(frames_) * point / points_);
  }
  void summarise(std::span<const float> samples);

  std::size_t points_;
  std::uint64_t frames_;  // as the header says; frames beyond belong to the last point
  std::size_t channels_;
  std::vector<float> values_;  // minimum, maximum, root mean square
  std::vector<std::uint64_t> counts_;
  std::size_t point_ = 0;
  std::uint64_t position_ = 0;
  double squares_ = 0;
};

void Points::add(std::span<const float> block) {
  while (!block.empty()) {
    while (point_ + 1 < points_ && position_ >= begin(point_ + 1)) {
      ++point_;
      squares_ = 0;
    }
    const std::uint64_t end = point_ + 1 < points_ ? begin(point_ + 1) : UINT64_MAX;
    const std::uint64_t frames = std::min<std::uint64_t>(block.size() / channels_, end - position_);
    summarise(block.first(frames * channels_));
    block = block.subspan(frames * channels_);
    position_ += frames;
  }
}

void Points::summarise(std::span<const float> samples) {
  float& least = values_[point_];
  float& most = values_[points_ + point_];
  if (counts_[point_] == 0) least = most = samples.front();
  for (const float sample : samples) {
    least = std::min(least, sample);
    most = std::max(most, sample);
    squares_ += static_cast<double>(sample) * sample;
  }
  counts_[point_] += samples.size();
  values_[2 * points_ + point_] = static_cast<float>(std::sqrt(squares_ / static_cast<double>(counts_[point_])));
}

void Points::finish() {
  for (std::size_t point = points_ - 1; point-- > 0;) {
    if (counts_[point] > 0) continue;
    for (std::size_t array = 0; array < 3; ++array)
      values_[array * points_ + point] = values_[array * points_ + point + 1];
  }
}

void write_all(int output, std::span<const float> values) {
  const char* next = reinterpret_cast<const char*>(values.data());
  std::size_t left = values.size_bytes();
  while (left > 0) {
    const ssize_t put = ::write(output, next, left);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw Failure(wire::Status::failed, "could not write the output", std::strerror(errno));
    next += put;
    left -= static_cast<std::size_t>(put);
  }
}

}  // namespace

void waveform(const Job& job, wire::Reply& reply) {
  const std::int32_t wanted = job.request.points;
  if (wanted < 1 || wanted > wire::kMostPoints)
    throw invalid_argument("points must be between 1 and " + std::to_string(wire::kMostPoints));
  const wire::Info& info = job.source.info();
  Points points(static_cast<std::size_t>(wanted), info.frames, static_cast<std::size_t>(info.channels));
  if (points.values().size_bytes() > job.request.max_output)
    throw Failure(wire::Status::too_large, "result is too large",
                  "it would pass " + std::to_string(job.request.max_output) + " bytes");
  for_each_block(job.source, [&](std::span<float> block) { points.add(block); });
  points.finish();
  write_all(job.output, points.values());
  reply.output_size = points.values().size_bytes();
}

}  // namespace audiostore::audio
