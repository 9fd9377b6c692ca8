#include "audio/shape.hpp"

#include <algorithm>
#include <cmath>

namespace audiostore::audio {

namespace {

constexpr float kSilence = 0.001F;     // -60 dBFS
constexpr std::uint64_t kClipRun = 3;  // fewer at full scale is what a loud, whole signal has too

// The largest positive value of the sample format; lossy and float audio is held against 16 bits.
float full_scale(int bit_depth) { return bit_depth == 8 ? 127.0F / 128.0F : 32767.0F / 32768.0F; }

}  // namespace

ShapeMeter::ShapeMeter(int sample_rate, std::size_t channels, int bit_depth)
    : sample_rate_(sample_rate),
      channels_(channels),
      full_scale_(full_scale(bit_depth)),
      sums_(channels),
      runs_(channels) {}

void ShapeMeter::clipping(std::size_t channel, const float* samples, std::size_t count, float peak) {
  std::uint64_t& run = runs_[channel];
  if (peak < full_scale_) {
    run = 0;
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (std::abs(samples[i]) < full_scale_) {
      run = 0;
      continue;
    }
    ++run;
    if (run == kClipRun) clipped_ += kClipRun;
    if (run > kClipRun) ++clipped_;
  }
}

bool ShapeMeter::quiet(const float* const* planar, std::size_t frame) const {
  for (std::size_t channel = 0; channel < channels_; ++channel)
    if (std::abs(planar[channel][frame]) >= kSilence) return false;
  return true;
}

void ShapeMeter::silence(const float* const* planar, std::size_t count, float peak) {
  frames_ += count;
  if (peak < kSilence) {
    silent_run_ += count;
    return;
  }
  // Inside a tile no silence can be long enough to count: only its edges matter.
  std::size_t first = 0;
  while (quiet(planar, first)) ++first;
  std::size_t last = count;
  while (quiet(planar, last - 1)) --last;
  silent_run_ += first;
  end_silence();
  sounded_ = true;
  silent_run_ = count - last;
}

void ShapeMeter::end_silence() {
  if (!sounded_) leading_ = silent_run_;
  if (silent_run_ * 10 >= static_cast<std::uint64_t>(sample_rate_)) {
    silent_ += silent_run_;
    longest_ = std::max(longest_, silent_run_);
  }
}

wire::Shape ShapeMeter::figures() const {
  ShapeMeter end = *this;
  end.end_silence();
  const auto seconds = [this](std::uint64_t frames) { return static_cast<double>(frames) / sample_rate_; };
  const auto counted = [this](std::uint64_t frames) {
    return frames * 10 >= static_cast<std::uint64_t>(sample_rate_) ? frames : 0;
  };
  wire::Shape shape{};
  shape.clipped_samples = clipped_;
  shape.silence_seconds = seconds(end.silent_);
  shape.leading_silence_seconds = seconds(counted(end.leading_));
  shape.trailing_silence_seconds = seconds(counted(silent_run_));
  shape.longest_silence_seconds = seconds(end.longest_);
  for (const double sum : sums_)
    if (frames_ > 0) shape.dc_offset = std::max(shape.dc_offset, std::abs(sum / static_cast<double>(frames_)));
  return shape;
}

}  // namespace audiostore::audio
