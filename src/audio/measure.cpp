#include "audio/operations.hpp"

namespace audiostore::audio {

Meter measure_all(Source& source) {
  const wire::Info& info = source.info();
  Meter meter(info.sample_rate, info.channels, info.bit_depth);
  for_each_block(source, [&](std::span<float> block) { meter.add(block); });
  meter.finish();
  return meter;
}

void measure(const Job& job, wire::Reply& reply) {
  const Meter meter = measure_all(job.source);
  reply.loudness = meter.loudness();
  reply.shape = meter.shape();
  // Now it is known, not claimed.
  reply.info.frames = meter.frames();
  reply.info.duration_seconds = static_cast<double>(meter.frames()) / reply.info.sample_rate;
}

}  // namespace audiostore::audio
