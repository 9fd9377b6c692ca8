// Signals made after EBU Tech 3341 and 3342, and comparisons with libebur128.
#include "audio/loudness.hpp"

#include <ebur128.h>
#include <gtest/gtest.h>

#include <limits>

#include "signal.hpp"

namespace audiostore::audio {
namespace {

Signal stereo(const std::vector<std::pair<double, double>>& seconds_and_levels) {
  Signal signal;
  for (const auto& [seconds, level] : seconds_and_levels) add_tone(signal, seconds, level);
  return signal;
}

double integrated(const Signal& signal) { return measured(signal).loudness().integrated_lufs; }
double range(const Signal& signal) { return measured(signal).loudness().range_lu; }

TEST(Loudness, EbuTech3341Cases1To6) {
  EXPECT_NEAR(integrated(stereo({{20, -23}})), -23, 0.1);
  EXPECT_NEAR(integrated(stereo({{20, -33}})), -33, 0.1);
  EXPECT_NEAR(integrated(stereo({{10, -36}, {60, -23}, {10, -36}})), -23, 0.1);
  EXPECT_NEAR(integrated(stereo({{10, -72}, {10, -36}, {60, -23}, {10, -36}, {10, -72}})), -23, 0.1);
  EXPECT_NEAR(integrated(stereo({{20, -26}, {20.1, -20}, {20, -26}})), -23, 0.1);
  Signal surround{48000, 5, {}};
  add_tone(surround, 20, {-28, -28, -24, -30, -30});
  EXPECT_NEAR(integrated(surround), -23, 0.1);
  Signal with_low{48000, 6, {}};
  add_tone(with_low, 20, {-28, -28, -24, 0, -30, -30});  // low frequency effects do not count, however loud
  EXPECT_NEAR(integrated(with_low), -23, 0.1);
}

TEST(Loudness, EbuTech3341Cases9And12ShortTermAndMomentaryOfPatterns) {
  Signal short_term;
  for (int i = 0; i < 5; ++i) {
    add_tone(short_term, 1.34, -20);
    add_tone(short_term, 1.66, -30);
  }
  EXPECT_NEAR(measured(short_term).loudness().max_short_term_lufs, -23, 0.1);
  Signal momentary;
  for (int i = 0; i < 25; ++i) {
    add_tone(momentary, 0.18, -20);
    add_tone(momentary, 0.22, -30);
  }
  EXPECT_NEAR(measured(momentary).loudness().max_momentary_lufs, -23, 0.1);
}

TEST(Loudness, EbuTech3341Cases10And13MaximaWhereverTheToneBegins) {
  for (int i = 0; i < 20; ++i) {
    Signal long_tone;
    add_silence(long_tone, i * 0.15);
    add_tone(long_tone, 3, -23);
    add_silence(long_tone, 1);
    EXPECT_NEAR(measured(long_tone).loudness().max_short_term_lufs, -23, 0.1) << i;
    Signal burst;
    add_silence(burst, i * 0.02);
    add_tone(burst, 0.4, -23);
    add_silence(burst, 1);
    EXPECT_NEAR(measured(burst).loudness().max_momentary_lufs, -23, 0.1) << i;
  }
}

TEST(Loudness, EbuTech3341Cases11And14MaximaOfRisingTones) {
  Signal long_tones;
  Signal bursts;
  for (int i = 0; i < 20; ++i) {
    add_silence(long_tones, i * 0.15);
    add_tone(long_tones, 3, -38 + i);
    add_silence(long_tones, 3 - i * 0.15);
    EXPECT_NEAR(measured(long_tones).loudness().max_short_term_lufs, -38 + i, 0.1) << i;
    add_silence(bursts, i * 0.02);
    add_tone(bursts, 0.4, -38 + i);
    add_silence(bursts, 0.4 - i * 0.02);
    EXPECT_NEAR(measured(bursts).loudness().max_momentary_lufs, -38 + i, 0.1) << i;
  }
}

TEST(Loudness, EbuTech3342Cases1To4) {
  EXPECT_NEAR(range(stereo({{20, -20}, {20, -30}})), 10, 1);
  EXPECT_NEAR(range(stereo({{20, -20}, {20, -15}})), 5, 1);
  EXPECT_NEAR(range(stereo({{20, -40}, {20, -20}})), 20, 1);
  EXPECT_NEAR(range(stereo({{20, -50}, {20, -35}, {20, -20}, {20, -35}, {20, -50}})), 15, 1);
}

struct Reference {
  double integrated = 0;
  double range = 0;
  double momentary = -std::numeric_limits<double>::infinity();
  double short_term = -std::numeric_limits<double>::infinity();
  double true_peak = -std::numeric_limits<double>::infinity();
};

Reference libebur128(const Signal& signal) {
  const int mode = EBUR128_MODE_I | EBUR128_MODE_LRA | EBUR128_MODE_TRUE_PEAK;
  ebur128_state* state =
      ebur128_init(static_cast<unsigned>(signal.channels), static_cast<unsigned long>(signal.sample_rate), mode);
  Reference found;
  const auto channels = static_cast<std::size_t>(signal.channels);
  // Asked ten times in each 100 ms for momentary, once for short-term loudness, where this layer looks too.
  const auto block = static_cast<std::size_t>((signal.sample_rate + 5) / 10);
  std::size_t done = 0;
  for (std::size_t step = 1; done < signal.frames(); ++step) {
    const std::size_t end = std::min(signal.frames(), (step / 10) * block + block * (step % 10) / 10);
    ebur128_add_frames_float(state, signal.samples.data() + done * channels, end - done);
    done = end;
    double value = 0;
    ebur128_loudness_momentary(state, &value);
    found.momentary = std::max(found.momentary, value);
    if (step % 10 != 0) continue;
    ebur128_loudness_shortterm(state, &value);
    found.short_term = std::max(found.short_term, value);
  }
  ebur128_loudness_global(state, &found.integrated);
  ebur128_loudness_range(state, &found.range);
  for (unsigned channel = 0; channel < static_cast<unsigned>(signal.channels); ++channel) {
    double peak = 0;
    ebur128_true_peak(state, channel, &peak);
    found.true_peak = std::max(found.true_peak, 20 * std::log10(peak));
  }
  ebur128_destroy(&state);
  return found;
}

class SameAsLibebur128 : public testing::TestWithParam<std::tuple<int, int>> {};

// Cases 7 and 8 of Tech 3341 and 5 and 6 of Tech 3342 are recordings; these are programmes of that kind.
TEST_P(SameAsLibebur128, OnAProgramme) {
  const auto [sample_rate, channels] = GetParam();
  Signal signal = programme(sample_rate, channels, 11.7, static_cast<std::uint32_t>(sample_rate + channels));
  fade(signal, 0.1);
  const wire::Loudness ours = measured(signal).loudness();
  const Reference theirs = libebur128(signal);
  EXPECT_EQ(ours.gated, 1U);
  EXPECT_NEAR(ours.integrated_lufs, theirs.integrated, 0.001);
  EXPECT_NEAR(ours.range_lu, theirs.range, 0.001);
  EXPECT_NEAR(ours.max_momentary_lufs, theirs.momentary, 0.01);
  EXPECT_NEAR(ours.max_short_term_lufs, theirs.short_term, 0.01);
  // From 96 kHz on it has a filter of 24 taps; ours of 12 differs near half the sample rate.
  EXPECT_NEAR(ours.true_peak_dbtp, theirs.true_peak, sample_rate < 96000 ? 0.001 : 0.2);
}

INSTANTIATE_TEST_SUITE_P(RatesAndChannels, SameAsLibebur128,
                         testing::Combine(testing::Values(8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000),
                                          testing::Values(1, 2, 3, 4, 5, 6)));

TEST(Loudness, NothingPassesTheGateOfSilenceOrOfLessThan400Milliseconds) {
  Signal silence;
  add_silence(silence, 5);
  EXPECT_EQ(measured(silence).loudness().gated, 0U);
  EXPECT_TRUE(std::isinf(measured(silence).loudness().true_peak_dbtp));
  Signal quiet;
  add_tone(quiet, 5, -80);
  EXPECT_EQ(measured(quiet).loudness().gated, 0U);
  Signal brief;
  add_tone(brief, 0.39, -20);
  EXPECT_EQ(measured(brief).loudness().gated, 0U);
  Signal enough;
  add_tone(enough, 0.4, -20);
  EXPECT_EQ(measured(enough).loudness().gated, 1U);
  EXPECT_EQ(measured(Signal{}).frames(), 0U);
}

}  // namespace
}  // namespace audiostore::audio
