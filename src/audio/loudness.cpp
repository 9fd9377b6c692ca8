#include "audio/loudness.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace audiostore::audio {

namespace {

constexpr double kOffset = -0.691;  // makes a 997 Hz sine of 0 dBFS in one channel -3.01 LKFS

double to_lufs(double mean_square) {
  return mean_square > 0 ? kOffset + 10.0 * std::log10(mean_square) : -std::numeric_limits<double>::infinity();
}

double absolute_gate() {
  static const double gate = std::pow(10.0, (-70.0 - kOffset) / 10.0);
  return gate;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// BS.1770-4, equations 5 to 7: the mean of what is less than 10 LU below the mean.
double integrated(const std::vector<double>& blocks) {
  const double gate = mean(blocks) * 0.1;
  double sum = 0;
  std::size_t count = 0;
  for (const double block : blocks) {
    if (block < gate) continue;
    sum += block;
    ++count;
  }
  return to_lufs(sum / static_cast<double>(count));
}

// Tech 3342: from the 10th to the 95th percentile of what is less than 20 LU below the mean.
double range(std::vector<double> blocks) {
  if (blocks.empty()) return 0;
  const double gate = mean(blocks) * 0.01;
  std::erase_if(blocks, [gate](double block) { return block < gate; });
  std::sort(blocks.begin(), blocks.end());
  const auto last = static_cast<double>(blocks.size() - 1);
  const double low = blocks[static_cast<std::size_t>(std::lround(last * 0.10))];
  const double high = blocks[static_cast<std::size_t>(std::lround(last * 0.95))];
  return to_lufs(high) - to_lufs(low);
}

}  // namespace

double channel_weight(std::size_t channel, std::size_t channels) {
  constexpr double kSurround = 1.41;
  if (channels == 4) return channel < 2 ? 1.0 : kSurround;
  if (channels == 5) return channel < 3 ? 1.0 : kSurround;
  if (channel < 3) return 1.0;
  return channel == 4 || channel == 5 ? kSurround : 0.0;
}

void LoudnessHistory::add(const std::array<double, kParts>& parts) {
  double block = 0;
  for (const double part : parts) {
    std::move(parts_.begin() + 1, parts_.end(), parts_.begin());
    parts_.back() = part;
    block += part;
    most_momentary_ = std::max(most_momentary_, std::accumulate(parts_.begin(), parts_.end(), 0.0));
  }
  recent_[blocks_ % kShortTermBlocks] = block;
  ++blocks_;

  const double short_term = std::accumulate(recent_.begin(), recent_.end(), 0.0) / (kShortTermBlocks * block_frames_);
  most_short_term_ = std::max(most_short_term_, short_term);
  if (blocks_ >= kShortTermBlocks && blocks_ % 10 == 0 && short_term >= absolute_gate())
    short_term_.push_back(short_term);
  if (blocks_ < 4) return;
  const double momentary = std::accumulate(parts_.begin(), parts_.end(), 0.0) / (4 * block_frames_);
  if (momentary >= absolute_gate()) momentary_.push_back(momentary);
}

wire::Loudness LoudnessHistory::figures() const {
  wire::Loudness found{};
  found.gated = momentary_.empty() ? 0 : 1;
  found.integrated_lufs = momentary_.empty() ? -std::numeric_limits<double>::infinity() : integrated(momentary_);
  found.range_lu = range(short_term_);
  found.max_momentary_lufs = to_lufs(most_momentary_ / (4 * block_frames_));
  found.max_short_term_lufs = to_lufs(most_short_term_);
  return found;
}

}  // namespace audiostore::audio
