// Loudness figures from 10 ms energies: ITU-R BS.1770-4 (gating), EBU Tech 3341 (maxima) and Tech 3342 (range).
// What would surprise you: momentary loudness is looked at every 10 ms, so that a 400 ms burst that falls between two
// steps of 100 ms still counts in full; the gated figures step as the documents say.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "audio/k_weighting.hpp"
#include "audio/wire.hpp"

namespace audiostore::audio {

// What a channel counts for; the order is left, right, centre, low frequency, left surround, right surround, with four
// channels left, right and both surrounds, with five the same without low frequency. Others do not count.
double channel_weight(std::size_t channel, std::size_t channels);

class LoudnessHistory {
 public:
  static constexpr std::size_t kParts = KWeighting::kParts;

  explicit LoudnessHistory(std::size_t block_frames) : block_frames_(static_cast<double>(block_frames)) {}

  // The next 100 ms: weighted sums of squares over all channels, in parts.
  void add(const std::array<double, kParts>& parts);

  // Everything but the peaks.
  wire::Loudness figures() const;

 private:
  static constexpr std::size_t kMomentaryParts = 4 * kParts;
  static constexpr std::size_t kShortTermBlocks = 30;

  double block_frames_;
  std::size_t blocks_ = 0;
  std::array<double, kMomentaryParts> parts_{};
  std::array<double, kShortTermBlocks> recent_{};
  double most_momentary_ = 0;
  double most_short_term_ = 0;
  std::vector<double> momentary_;   // mean squares of 400 ms every 100 ms, above the absolute gate
  std::vector<double> short_term_;  // of 3 s every second, above the absolute gate
};

}  // namespace audiostore::audio
