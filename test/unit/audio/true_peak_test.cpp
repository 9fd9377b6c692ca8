#include "audio/true_peak.hpp"

#include <gtest/gtest.h>

#include "signal.hpp"

namespace audiostore::audio {
namespace {

double true_peak(const Signal& signal) { return measured(signal).loudness().true_peak_dbtp; }

// A sine at a fraction of the sample rate, faded in and out.
Signal sine(double fraction, double phase_degrees, double amplitude) {
  Signal signal{48000, 2, {}};
  for (int i = 0; i < 48000; ++i) {
    const double x = amplitude * std::sin(2 * std::numbers::pi * (i * fraction + phase_degrees / 360));
    signal.samples.insert(signal.samples.end(), 2, static_cast<float>(x));
  }
  fade(signal, 0.1);
  return signal;
}

void expect_true_peak(const Signal& signal, double wanted) {
  EXPECT_LE(true_peak(signal), wanted + 0.2);
  EXPECT_GE(true_peak(signal), wanted - 0.4);
}

TEST(TruePeak, EbuTech3341Cases15To19) {
  expect_true_peak(sine(1.0 / 4, 0, 0.5), -6);
  expect_true_peak(sine(1.0 / 4, 45, 0.5), -6);
  expect_true_peak(sine(1.0 / 6, 60, 0.5), -6);
  expect_true_peak(sine(1.0 / 8, 67.5, 0.5), -6);
  expect_true_peak(sine(1.0 / 4, 45, 1.41), 3);
}

// A short burst whose top lies a quarter of a sample further from case to case.
TEST(TruePeak, EbuTech3341Cases20To23) {
  for (int quarter = 0; quarter < 4; ++quarter) {
    Signal signal{48000, 2, {}};
    for (int i = 0; i < 4800; ++i) {
      const double t = i - 2400 - quarter / 4.0;
      const double x = std::exp(-t * t / 200) * std::cos(2 * std::numbers::pi * t / 6);
      signal.samples.insert(signal.samples.end(), 2, static_cast<float>(x));
    }
    expect_true_peak(signal, 0);
  }
}

TEST(TruePeak, OfTheLastSamplesCounts) {
  Signal signal{48000, 1, std::vector<float>(4800)};
  signal.samples[4798] = signal.samples[4799] = 0.9F;
  EXPECT_GT(true_peak(signal), 20 * std::log10(0.95));
}

TEST(TruePeak, IsTheSampleBetweenSamplesWhereverBlocksEnd) {
  // The same burst anywhere in a tile and a block gives the same figure.
  double first = 0;
  for (int offset = 0; offset < 160; ++offset) {
    Signal signal{8000, 1, std::vector<float>(static_cast<std::size_t>(1500 + offset), 0.01F)};
    for (int i = 0; i < 8; ++i) signal.samples.push_back(i % 4 < 2 ? 0.5F : -0.5F);
    signal.samples.resize(3000, 0.01F);
    if (offset == 0) first = true_peak(signal);
    EXPECT_NEAR(true_peak(signal), first, 1e-4) << offset;
  }
  EXPECT_GT(first, -6.0);
}

}  // namespace
}  // namespace audiostore::audio
