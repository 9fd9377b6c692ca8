#include "audio/shape.hpp"

#include <gtest/gtest.h>

#include "signal.hpp"

namespace audiostore::audio {
namespace {

TEST(Shape, CountsSamplesInRunsOfThreeAtFullScale) {
  Signal signal{44100, 2, std::vector<float>(20000)};
  const auto put = [&](std::size_t frame, std::size_t channel, float value) {
    signal.samples[frame * 2 + channel] = value;
  };
  for (std::size_t i = 0; i < 5; ++i) put(62 + i, 0, 1.0F);     // a run of 5 over the end of a tile
  for (std::size_t i = 0; i < 2; ++i) put(200 + i, 0, 1.0F);    // too short
  for (std::size_t i = 0; i < 3; ++i) put(300 + i, 1, -1.0F);   // negative
  for (std::size_t i = 0; i < 4; ++i) put(4408 + i, 1, 1.0F);   // over the end of a block
  for (std::size_t i = 0; i < 3; ++i) put(500 + i, 0, 0.999F);  // loud, not clipped
  EXPECT_EQ(measured(signal, 16).shape().clipped_samples, 5 + 3 + 4);
}

TEST(Shape, FindsSilence) {
  Signal signal{16000, 2, {}};
  add_silence(signal, 0.5);
  add_tone(signal, 1, -20);
  add_tone(signal, 2, -70);
  add_tone(signal, 1, -20);
  add_tone(signal, 0.05, -70);  // too short
  add_tone(signal, 1, -20);
  add_silence(signal, 0.25);
  const wire::Shape shape = measured(signal).shape();
  EXPECT_NEAR(shape.leading_silence_seconds, 0.5, 0.001);
  EXPECT_NEAR(shape.trailing_silence_seconds, 0.25, 0.001);
  EXPECT_NEAR(shape.longest_silence_seconds, 2, 0.001);
  EXPECT_NEAR(shape.silence_seconds, 2.75, 0.002);
}

TEST(Shape, AllSilenceIsLeadingAndTrailing) {
  Signal signal{8000, 1, {}};
  add_silence(signal, 3);
  const wire::Shape shape = measured(signal).shape();
  EXPECT_DOUBLE_EQ(shape.leading_silence_seconds, 3);
  EXPECT_DOUBLE_EQ(shape.trailing_silence_seconds, 3);
  EXPECT_DOUBLE_EQ(shape.silence_seconds, 3);
}

TEST(Shape, OffsetIsTheLargestMeanOfAChannel) {
  Signal signal{44100, 2, {}};
  add_tone(signal, 2, -20);
  for (std::size_t i = 0; i < signal.frames(); ++i) {
    signal.samples[2 * i] += 0.01F;
    signal.samples[2 * i + 1] -= 0.05F;
  }
  EXPECT_NEAR(measured(signal).shape().dc_offset, 0.05, 0.0005);
}

}  // namespace
}  // namespace audiostore::audio
