#include "audio/mastering_pass.hpp"

#include <algorithm>
#include <cmath>

#include "audio/limiter.hpp"
#include "audio/samples.hpp"
#include "audio/sound_file.hpp"

namespace audiostore::audio {

namespace {

float amplitude(double decibels) { return static_cast<float>(std::pow(10.0, decibels / 20.0)); }

void take_figures(Meter& meter, MasteringResult& result) {
  meter.finish();
  result.loudness = meter.loudness();
  result.shape = meter.shape();
}

}  // namespace

MasteringResult MasteringPass::process(const MasteringSettings& settings,
                                       const std::function<void(std::span<float>)>& finished) {
  source_.seek(0);
  const float gain = amplitude(settings.gain_db);
  const auto amplify = [&](std::span<float> block) {
    if (settings.gain_db != 0) multiply(block.data(), block.size(), gain);
  };
  MasteringResult result;
  if (!settings.ceiling_db) {
    for_each_block(source_, [&](std::span<float> block) {
      amplify(block);
      finished(block);
    });
    return result;
  }
  Limiter limiter(target_.sample_rate, target_.channels, amplitude(*settings.ceiling_db));
  for_each_block(source_, [&](std::span<float> block) {
    amplify(block);
    limiter.process(block, finished);
  });
  limiter.finish(finished);
  result.reduction_db = std::max(0.0, -20.0 * std::log10(static_cast<double>(limiter.deepest_gain())));
  result.limited_seconds = static_cast<double>(limiter.limited_frames()) / target_.sample_rate;
  return result;
}

MasteringResult MasteringPass::rehearse(const MasteringSettings& settings) {
  Meter meter(target_.sample_rate, target_.channels, target_.bit_depth);
  MasteringResult result = process(settings, [&](std::span<float> block) { meter.add(block); });
  take_figures(meter, result);
  return result;
}

MasteringResult MasteringPass::write(const MasteringSettings& settings, wire::Reply& reply) {
  Target target = target_;
  target.dither = target.dither || settings.gain_db != 0;
  Encoder encoder(output_, target);
  Meter meter(target.sample_rate, target.channels, target.bit_depth);
  MasteringResult result = process(settings, [&](std::span<float> block) {
    encoder.write(block);
    if (lossless(target.format)) meter.add(block);
  });
  encoder.finish();
  report_output(encoder, reply);
  if (lossless(target.format)) {
    take_figures(meter, result);
  } else {
    decode_again(encoder, result);
  }
  return result;
}

void MasteringPass::decode_again(const Encoder& encoder, MasteringResult& result) const {
  const wire::Input all{encoder.size(), encoder.size(), 0};
  const std::unique_ptr<Source> source =
      open_sound_file(Input(output_, all, encoder.origin()), encoder.info().container);
  const Meter meter = measure_all(*source);
  result.loudness = meter.loudness();
  result.shape = meter.shape();
}

}  // namespace audiostore::audio
