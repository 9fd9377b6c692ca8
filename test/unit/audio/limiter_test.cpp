#include "audio/limiter.hpp"

#include <gtest/gtest.h>

#include "signal.hpp"

namespace audiostore::audio {
namespace {

struct Limited {
  Signal signal;
  double deepest = 1;
  std::uint64_t frames = 0;
};

Limited limited(const Signal& signal, double ceiling_db) {
  Limiter limiter(signal.sample_rate, signal.channels, static_cast<float>(from_db(ceiling_db)));
  Limited result{{signal.sample_rate, signal.channels, {}}};
  const auto collect = [&](std::span<float> block) {
    result.signal.samples.insert(result.signal.samples.end(), block.begin(), block.end());
  };
  const auto channels = static_cast<std::size_t>(signal.channels);
  std::size_t done = 0;
  for (std::size_t block = 1; done < signal.frames(); block = block * 5 % 4999 + 1) {
    const std::size_t frames = std::min(block, signal.frames() - done);
    limiter.process(std::span(signal.samples).subspan(done * channels, frames * channels), collect);
    done += frames;
  }
  limiter.finish(collect);
  result.deepest = limiter.deepest_gain();
  result.frames = limiter.limited_frames();
  return result;
}

// The corrections of mastering would hide a limiter that comes too late: here it stands alone.
TEST(Limiter, HoldsTheCeilingByItself) {
  for (const int sample_rate : {8000, 44100, 96000, 192000}) {
    for (const double ceiling : {-1.0, -9.0, -20.0}) {
      Signal signal = programme(sample_rate, 2, 4);
      for (std::size_t i = 1000; i < signal.samples.size(); i += 7001) signal.samples[i] = i % 2 == 0 ? 0.95F : -0.95F;
      const Limited result = limited(signal, ceiling);
      ASSERT_EQ(result.signal.samples.size(), signal.samples.size());
      EXPECT_LE(measured(result.signal).loudness().true_peak_dbtp, ceiling + 0.01) << sample_rate;
      EXPECT_LT(result.deepest, 1);
      EXPECT_GT(result.frames, 0U);
    }
  }
}

TEST(Limiter, ChangesNothingBelowTheCeilingAndLittleAroundAPeak) {
  Signal signal = programme(48000, 2, 3);
  EXPECT_EQ(limited(signal, 0).signal.samples, signal.samples);
  for (float& sample : signal.samples) sample *= 0.1F;
  signal.samples[144000] = 0.9F;  // 1.5 seconds in
  const Limited result = limited(signal, -6);
  for (std::size_t i = 0; i < signal.samples.size(); ++i) {
    if (i > 144000 - 2 * 480 && i < 144000 + 2 * 72000) continue;
    ASSERT_EQ(result.signal.samples[i], signal.samples[i]) << i;
  }
  // A gain that jumps would be heard: from frame to frame it moves by less than 0.1 dB.
  double before = 1;
  for (std::size_t i = 144000 - 2 * 480; i < 144000 + 2 * 2000; i += 2) {
    if (std::abs(signal.samples[i]) < 1e-3) continue;
    const double gain = result.signal.samples[i] / signal.samples[i];
    EXPECT_LT(std::abs(gain - before), 0.02) << i;
    before = gain;
  }
}

}  // namespace
}  // namespace audiostore::audio
