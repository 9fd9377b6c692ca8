#include "audio/samples.hpp"

#include <cmath>
#include <cstring>

#include "audio/multiversion.hpp"
#include "audio/sound_file.hpp"

namespace audiostore::audio {

AUDIOSTORE_MULTIVERSION
void extract_channel(const float* interleaved, std::size_t channels, std::size_t channel, std::size_t frames,
                     float* planar) {
  for (std::size_t i = 0; i < frames; ++i) planar[i] = interleaved[i * channels + channel];
}

AUDIOSTORE_MULTIVERSION
void extract_stereo(const float* interleaved, std::size_t frames, float* __restrict left, float* __restrict right) {
  for (std::size_t i = 0; i < frames; ++i) {
    left[i] = interleaved[2 * i];
    right[i] = interleaved[2 * i + 1];
  }
}

AUDIOSTORE_MULTIVERSION
Extremes extremes(const float* samples, std::size_t count) {
  constexpr std::size_t kWide = 16;
  using Wide = float __attribute__((vector_size(sizeof(float) * kWide)));
  using WideBits = std::int32_t __attribute__((vector_size(sizeof(float) * kWide)));
  Wide most{};
  Wide sum{};
  std::size_t i = 0;
  for (; i + kWide <= count; i += kWide) {
    Wide x;
    std::memcpy(&x, samples + i, sizeof x);
    const auto magnitude = reinterpret_cast<Wide>(reinterpret_cast<WideBits>(x) & 0x7FFFFFFF);
    most = most > magnitude ? most : magnitude;
    sum += x;
  }
  Extremes found;
  for (std::size_t lane = 0; lane < kWide; ++lane) {
    found.peak = found.peak > most[lane] ? found.peak : most[lane];
    found.sum += sum[lane];
  }
  for (; i < count; ++i) {
    const float magnitude = samples[i] < 0 ? -samples[i] : samples[i];
    found.peak = found.peak > magnitude ? found.peak : magnitude;
    found.sum += samples[i];
  }
  return found;
}

float peak_of(const float* samples, std::size_t count) { return extremes(samples, count).peak; }

AUDIOSTORE_MULTIVERSION
void multiply(float* samples, std::size_t count, float factor) {
  for (std::size_t i = 0; i < count; ++i) samples[i] *= factor;
}

AUDIOSTORE_MULTIVERSION
void clip(float* samples, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const float low = samples[i] > -1.0F ? samples[i] : -1.0F;
    samples[i] = low < 1.0F ? low : 1.0F;
  }
}

AUDIOSTORE_MULTIVERSION
void make_finite_samples(float* samples, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    // Comparisons with NaN are false, so the two halves send it to 0 between them.
    const float x = samples[i];
    const float low = x > -kMostAmplitude ? x : -kMostAmplitude;
    const float cut = low < kMostAmplitude ? low : kMostAmplitude;
    samples[i] = x == x ? cut : 0.0F;
  }
}

void make_finite(std::span<float> samples) { make_finite_samples(samples.data(), samples.size()); }

}  // namespace audiostore::audio
