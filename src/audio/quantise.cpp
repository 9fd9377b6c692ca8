#include "audio/quantise.hpp"

#include "audio/multiversion.hpp"

namespace audiostore::audio {

namespace {

// Adding and taking away 1.5 * 2^23 rounds a float of less than 2^22 to an integer, ties to even.
constexpr float kRounder = 12582912.0F;

AUDIOSTORE_MULTIVERSION
void quantise_dithered(float* __restrict samples, std::size_t count, float scale, int shift, std::uint32_t seed,
                       int* __restrict steps) {
  const float most = scale - 1.0F;
  const float unit = 1.0F / scale;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t noise = seed + static_cast<std::uint32_t>(i);  // mixed until its halves look independent
    noise ^= noise >> 16;
    noise *= 0x7FEB352DU;
    noise ^= noise >> 15;
    noise *= 0x846CA68BU;
    noise ^= noise >> 16;
    const int difference = static_cast<int>(noise & 0xFFFFU) - static_cast<int>(noise >> 16);
    const float dither = samples[i] == 0.0F ? 0.0F : static_cast<float>(difference) * (1.0F / 65536.0F);
    float scaled = samples[i] * scale + dither;
    scaled = scaled < most ? scaled : most;
    scaled = scaled > -scale ? scaled : -scale;
    const float rounded = (scaled + kRounder) - kRounder;
    samples[i] = rounded * unit;
    steps[i] = static_cast<int>(static_cast<unsigned>(static_cast<int>(rounded)) << shift);
  }
}

AUDIOSTORE_MULTIVERSION
void quantise_plain(float* __restrict samples, std::size_t count, double scale, int shift, int* __restrict steps) {
  constexpr double kWideRounder = 6755399441055744.0;  // 1.5 * 2^52
  const double most = scale - 1.0;
  const double unit = 1.0 / scale;
  for (std::size_t i = 0; i < count; ++i) {
    double scaled = static_cast<double>(samples[i]) * scale;
    scaled = scaled < most ? scaled : most;
    scaled = scaled > -scale ? scaled : -scale;
    const double rounded = (scaled + kWideRounder) - kWideRounder;
    samples[i] = static_cast<float>(rounded * unit);
    steps[i] = static_cast<int>(static_cast<unsigned>(static_cast<int>(rounded)) << shift);
  }
}

}  // namespace

void quantise(float* samples, std::size_t count, int bit_depth, bool dither, std::uint64_t first_sample, int* steps) {
  const auto scale = static_cast<float>(1U << (bit_depth - 1));
  // Beside the noise of any converter, 24 bits need no dither.
  if (dither && bit_depth == 16) {
    const auto seed = static_cast<std::uint32_t>(first_sample ^ (first_sample >> 32));
    quantise_dithered(samples, count, scale, 32 - bit_depth, seed, steps);
  } else {
    quantise_plain(samples, count, scale, 32 - bit_depth, steps);
  }
}

}  // namespace audiostore::audio
