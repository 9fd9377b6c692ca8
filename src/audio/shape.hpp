// What is wrong with audio besides its loudness: clipping, silence, a constant offset. Fed with tiles of less than
// 100 ms together with their peaks, because most of them need no look at single samples.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "audio/wire.hpp"

namespace audiostore::audio {

class ShapeMeter {
 public:
  ShapeMeter(int sample_rate, std::size_t channels, int bit_depth);

  // A run of samples of one channel that reaches full scale somewhere, or that ends a run which did.
  void clipping(std::size_t channel, const float* samples, std::size_t count, float peak);
  void offset(std::size_t channel, double sum) { sums_[channel] += sum; }
  // One tile, a pointer to samples per channel, peak over all of them.
  void silence(const float* const* planar, std::size_t count, float peak);

  wire::Shape figures() const;
  std::uint64_t frames() const { return frames_; }

 private:
  void end_silence();
  bool quiet(const float* const* planar, std::size_t frame) const;

  int sample_rate_;
  std::size_t channels_;
  float full_scale_;
  std::vector<double> sums_;
  std::vector<std::uint64_t> runs_;  // samples at full scale in a row, up to now
  std::int64_t clipped_ = 0;
  std::uint64_t frames_ = 0;
  std::uint64_t silent_run_ = 0;  // frames, up to now
  std::uint64_t silent_ = 0;
  std::uint64_t leading_ = 0;
  std::uint64_t longest_ = 0;
  bool sounded_ = false;
};

}  // namespace audiostore::audio
