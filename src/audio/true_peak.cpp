#include "audio/true_peak.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numbers>

#include "audio/multiversion.hpp"

namespace audiostore::audio {

namespace {

constexpr std::size_t kTaps = Oversampler::kTaps;
constexpr std::size_t kWide = 16;
using Wide = float __attribute__((vector_size(sizeof(float) * kWide)));
using WideBits = std::int32_t __attribute__((vector_size(sizeof(float) * kWide)));

// Largest magnitude over all phases, 16 samples at a time; each is stored to envelope where that is given.
AUDIOSTORE_MULTIVERSION
float oversample(const Oversampler::Phases& taps, const float* samples, std::size_t vectors, float* envelope) {
  Wide most{};
  for (std::size_t v = 0; v < vectors; ++v) {
    const float* at = samples + v * kWide;
    Wide first{};
    Wide second{};
    Wide third{};
#pragma GCC unroll 12
    for (std::size_t tap = 0; tap < kTaps; ++tap) {
      Wide x;
      std::memcpy(&x, at - tap, sizeof x);
      first += x * taps[0][tap];
      second += x * taps[1][tap];
      third += x * taps[2][tap];
    }
    first = reinterpret_cast<Wide>(reinterpret_cast<WideBits>(first) & 0x7FFFFFFF);
    second = reinterpret_cast<Wide>(reinterpret_cast<WideBits>(second) & 0x7FFFFFFF);
    third = reinterpret_cast<Wide>(reinterpret_cast<WideBits>(third) & 0x7FFFFFFF);
    Wide here = first > second ? first : second;
    here = here > third ? here : third;
    most = most > here ? most : here;
    if (envelope != nullptr) {
      Wide before;
      std::memcpy(&before, envelope + v * kWide, sizeof before);
      here = here > before ? here : before;
      std::memcpy(envelope + v * kWide, &here, sizeof here);
    }
  }
  float found = 0;
  for (std::size_t lane = 0; lane < kWide; ++lane) found = found > most[lane] ? found : most[lane];
  return found;
}

}  // namespace

Oversampler::Oversampler(int sample_rate) : factor_(sample_rate < 96000 ? 4 : (sample_rate < 192000 ? 2 : 1)) {
  if (factor_ == 1) return;
  // A sinc under a Hann window, kTaps samples wide, taken at the points between samples.
  const auto length = static_cast<double>(kTaps) * factor_;
  for (int phase = 1; phase < factor_; ++phase) {
    float magnitude = 0;
    for (std::size_t tap = 0; tap < kTaps; ++tap) {
      const double place = static_cast<double>(tap) * factor_ + phase;
      const double x = (place - length / 2) / factor_ * std::numbers::pi;
      const double window = 0.5 * (1.0 - std::cos(2.0 * std::numbers::pi * place / length));
      const auto value = static_cast<float>(window * (x == 0 ? 1.0 : std::sin(x) / x));
      taps_[static_cast<std::size_t>(phase - 1)][tap] = value;
      magnitude += std::abs(value);
    }
    bound_ = std::max(bound_, magnitude * 1.00001F);  // above the rounding of the sums
  }
}

float Oversampler::peak(const float* samples, std::size_t count) const {
  if (idle()) return 0;
  const std::size_t vectors = count / kWide;
  float found = oversample(taps_, samples, vectors, nullptr);
  if (const std::size_t rest = count - vectors * kWide; rest > 0) {
    // Repeating a few samples of the vector before is harmless for a maximum; before the first, copy.
    std::array<float, kHistory + kWide> padded{};
    std::memcpy(padded.data(), samples + count - rest - kHistory, sizeof(float) * (kHistory + rest));
    std::array<float, kWide> points{};
    oversample(taps_, padded.data() + kHistory, 1, points.data());
    for (std::size_t i = 0; i < rest; ++i) found = std::max(found, points[i]);
  }
  return found;
}

void Oversampler::envelope(const float* samples, std::size_t count, float* envelope) const {
  if (idle()) return;
  const std::size_t vectors = count / kWide;
  oversample(taps_, samples, vectors, envelope);
  if (const std::size_t rest = count - vectors * kWide; rest > 0) {
    std::array<float, kHistory + kWide> padded{};
    std::memcpy(padded.data(), samples + count - rest - kHistory, sizeof(float) * (kHistory + rest));
    std::array<float, kWide> points{};
    oversample(taps_, padded.data() + kHistory, 1, points.data());
    for (std::size_t i = 0; i < rest; ++i) envelope[count - rest + i] = std::max(envelope[count - rest + i], points[i]);
  }
}

}  // namespace audiostore::audio
