// Measures audio that streams by: loudness, peaks, shape. Memory is about one second of audio and 80 bytes for each
// second gone by.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "audio/k_weighting.hpp"
#include "audio/loudness.hpp"
#include "audio/shape.hpp"
#include "audio/true_peak.hpp"
#include "audio/wire.hpp"

namespace audiostore::audio {

class Meter {
 public:
  Meter(int sample_rate, int channels, int bit_depth);

  void add(std::span<const float> interleaved);
  void finish();

  // After finish().
  wire::Loudness loudness() const;
  wire::Shape shape() const { return shape_.figures(); }
  std::uint64_t frames() const { return shape_.frames(); }

 private:
  static constexpr std::size_t kTile = 64;  // under 100 ms at any rate

  std::size_t stride() const { return Oversampler::kHistory + block_frames_; }
  float* planar(std::size_t lane, std::size_t channel) {
    return lanes_[lane].data() + channel * stride() + Oversampler::kHistory;
  }
  void extract(const float* interleaved, std::size_t frames);
  void end_block();
  void scan_tile(std::size_t start, std::size_t count);
  void look_between_samples(std::size_t channel, const float* samples, std::size_t count, float peak);
  void weigh(std::size_t blocks);

  std::size_t channels_;
  std::size_t block_frames_;  // 100 ms
  KWeighting weighting_;
  std::vector<KWeighting::State> states_;  // per channel
  Oversampler oversampler_;
  LoudnessHistory history_;
  ShapeMeter shape_;
  std::array<std::vector<float>, KWeighting::kLanes> lanes_;  // a block each, planar, every channel after its past
  std::vector<float> tile_peaks_;                             // per channel, of the tile before
  std::vector<const float*> tile_samples_;                    // per channel
  std::size_t lane_ = 0;                                      // being filled
  std::size_t filled_ = 0;                                    // frames of it
  float sample_peak_ = 0;
  float true_peak_ = 0;
};

}  // namespace audiostore::audio
