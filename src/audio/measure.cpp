#include "audio/meter.hpp"
#include "audio/operations.hpp"

namespace audiostore::audio {

void measure(const Job& job, wire::Reply& reply) {
  const wire::Info& info = job.source.info();
  Meter meter(info.sample_rate, info.channels, info.bit_depth);
  for_each_block(job.source, [&](std::span<float> block) { meter.add(block); });
  meter.finish();
  reply.loudness = meter.loudness();
  reply.shape = meter.shape();
  // Now it is known, not claimed.
  reply.info.frames = meter.frames();
  reply.info.duration_seconds = static_cast<double>(meter.frames()) / info.sample_rate;
}

}  // namespace audiostore::audio
