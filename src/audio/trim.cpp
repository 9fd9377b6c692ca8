// Without the silence at both ends. What would surprise you: audio that is silent all over leaves its padding, at most
// twice padding_seconds from its beginning, so that the result is a file that every player opens.
#include <algorithm>
#include <cmath>
#include <optional>

#include "audio/operations.hpp"
#include "audio/part.hpp"

namespace audiostore::audio {

namespace {

struct Sounding {
  std::uint64_t first = 0;
  std::uint64_t end = 0;     // behind the last
  std::uint64_t frames = 0;  // of the audio
};

Sounding find_sounding(Source& source, float threshold) {
  Sounding found;
  bool any = false;
  const auto channels = static_cast<std::size_t>(source.info().channels);
  const auto loud = [threshold](float sample) { return std::abs(sample) >= threshold; };
  for_each_block(source, [&](std::span<float> block) {
    const auto first = std::find_if(block.begin(), block.end(), loud);
    if (first != block.end()) {
      const auto last = std::find_if(block.rbegin(), block.rend(), loud);
      if (!any) found.first = found.frames + static_cast<std::uint64_t>(first - block.begin()) / channels;
      found.end = found.frames + static_cast<std::uint64_t>(last.base() - block.begin() - 1) / channels + 1;
      any = true;
    }
    found.frames += block.size() / channels;
  });
  return found;
}

}  // namespace

void trim(const Job& job, wire::Reply& reply) {
  const double threshold = job.request.threshold_dbfs;
  const double padding = job.request.padding_seconds;
  if (!(threshold >= -200 && threshold <= 0)) throw invalid_argument("threshold must be between -200 and 0 dBFS");
  if (!(padding >= 0 && padding <= 86400)) throw invalid_argument("padding must be between 0 and 86400 seconds");
  const Sounding sounding = find_sounding(job.source, static_cast<float>(std::pow(10.0, threshold / 20.0)));
  reply.info.frames = sounding.frames;
  reply.info.duration_seconds = static_cast<double>(sounding.frames) / job.source.info().sample_rate;

  const auto kept = static_cast<std::uint64_t>(std::round(padding * job.source.info().sample_rate));
  const std::uint64_t first = sounding.first - std::min(sounding.first, kept);
  const std::uint64_t end = std::min(sounding.frames, sounding.end + (sounding.end == 0 ? 2 * kept : kept));
  Part part(job.source, first, end - first);
  write_part(part, job, reply);
}

}  // namespace audiostore::audio
