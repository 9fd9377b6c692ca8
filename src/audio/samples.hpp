// Loops over many samples that everybody needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace audiostore::audio {

// Channel `channel` of interleaved frames to planar.
void extract_channel(const float* interleaved, std::size_t channels, std::size_t channel, std::size_t frames,
                     float* planar);
void extract_stereo(const float* interleaved, std::size_t frames, float* left, float* right);

struct Extremes {
  float peak = 0;  // largest magnitude
  float sum = 0;
};
Extremes extremes(const float* samples, std::size_t count);

float peak_of(const float* samples, std::size_t count);

void multiply(float* samples, std::size_t count, float factor);

// To what full scale is.
void clip(float* samples, std::size_t count);

}  // namespace audiostore::audio
