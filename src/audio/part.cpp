#include "audio/part.hpp"

#include <algorithm>

namespace audiostore::audio {

Part::Part(Source& inner, std::uint64_t first, std::uint64_t frames)
    : inner_(inner), info_(inner.info()), first_(first) {
  info_.frames = frames;
  info_.duration_seconds = static_cast<double>(frames) / info_.sample_rate;
  inner_.seek(first_);
}

std::size_t Part::read(std::span<float> interleaved) {
  const auto channels = static_cast<std::size_t>(info_.channels);
  const std::uint64_t frames = std::min<std::uint64_t>(interleaved.size() / channels, info_.frames - position_);
  if (frames == 0) return 0;
  const std::size_t got = inner_.read(interleaved.first(frames * channels));
  position_ += got;
  return got;
}

void Part::seek(std::uint64_t frame) {
  inner_.seek(first_ + frame);
  position_ = frame;
}

void write_part(Part& part, const Job& job, wire::Reply& reply) {
  transcode(Job{job.request, part, job.output}, reply);
}

}  // namespace audiostore::audio
