// Audio made up for tests: interleaved float frames, put together from stretches.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <vector>

#include "audio/meter.hpp"

namespace audiostore::audio {

struct Signal {
  int sample_rate = 48000;
  int channels = 2;
  std::vector<float> samples;

  std::size_t frames() const { return samples.size() / static_cast<std::size_t>(channels); }
};

inline double from_db(double decibels) { return std::pow(10.0, decibels / 20.0); }

// A sine with a level for each channel; -infinity leaves a channel out.
inline void add_tone(Signal& signal, double seconds, const std::vector<double>& levels_db, double hertz = 1000) {
  const auto frames = static_cast<std::size_t>(std::llround(seconds * signal.sample_rate));
  const std::size_t start = signal.frames();
  for (std::size_t i = 0; i < frames; ++i) {
    const double x = std::sin(2 * std::numbers::pi * hertz * static_cast<double>(start + i) / signal.sample_rate);
    for (const double level : levels_db) signal.samples.push_back(static_cast<float>(from_db(level) * x));
  }
}

inline void add_tone(Signal& signal, double seconds, double level_db) {
  add_tone(signal, seconds, std::vector<double>(static_cast<std::size_t>(signal.channels), level_db));
}

inline void add_silence(Signal& signal, double seconds) {
  add_tone(signal, seconds, -std::numeric_limits<double>::infinity());
}

// Something like a programme: noise through a changing low-pass with pauses, different in every channel.
inline Signal programme(int sample_rate, int channels, double seconds, std::uint32_t seed = 1) {
  Signal signal{sample_rate, channels, {}};
  const auto frames = static_cast<std::size_t>(seconds * sample_rate);
  std::vector<double> low(static_cast<std::size_t>(channels));
  for (std::size_t i = 0; i < frames; ++i) {
    const double t = static_cast<double>(i) / sample_rate;
    const double level = std::fmod(t, 7.0) < 5.5 ? 0.2 + 0.15 * std::sin(t * 1.3) + 0.1 * std::sin(t * 9) : 0.004;
    for (int channel = 0; channel < channels; ++channel) {
      seed = seed * 1664525 + 1013904223;
      const double noise = static_cast<double>(seed >> 8) / (1 << 23) - 1;
      double& state = low[static_cast<std::size_t>(channel)];
      state += (0.1 + 0.3 * std::abs(std::sin(t * 0.7 + channel))) * (noise - state);
      signal.samples.push_back(static_cast<float>(level * (state + 0.5 * std::sin(2 * std::numbers::pi * 300 * t))));
    }
  }
  return signal;
}

// Fades both ends, where filters ring differently in different programs.
inline void fade(Signal& signal, double seconds) {
  const auto length = static_cast<std::size_t>(seconds * signal.sample_rate);
  const auto channels = static_cast<std::size_t>(signal.channels);
  for (std::size_t i = 0; i < length; ++i)
    for (std::size_t channel = 0; channel < channels; ++channel) {
      const float factor = static_cast<float>(i) / static_cast<float>(length);
      signal.samples[i * channels + channel] *= factor;
      signal.samples[(signal.frames() - 1 - i) * channels + channel] *= factor;
    }
}

// In blocks of odd sizes, as a decoder gives them.
inline Meter measured(const Signal& signal, int bit_depth = 0) {
  Meter meter(signal.sample_rate, signal.channels, bit_depth);
  const auto channels = static_cast<std::size_t>(signal.channels);
  std::size_t done = 0;
  for (std::size_t block = 1; done < signal.frames(); block = block * 7 % 9973 + 1) {
    const std::size_t frames = std::min(block, signal.frames() - done);
    meter.add(std::span(signal.samples).subspan(done * channels, frames * channels));
    done += frames;
  }
  meter.finish();
  return meter;
}

}  // namespace audiostore::audio
