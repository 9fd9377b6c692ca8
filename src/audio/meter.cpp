#include "audio/meter.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "audio/failure.hpp"
#include "audio/samples.hpp"

namespace audiostore::audio {

namespace {

double decibels(float amplitude) {
  return amplitude > 0 ? 20.0 * std::log10(static_cast<double>(amplitude)) : -std::numeric_limits<double>::infinity();
}

// The K-weighting has a corner at 1682 Hz, which lower rates do not carry: its filter would not be stable.
int measurable(int sample_rate) {
  constexpr int kLeast = 4000;
  if (sample_rate >= kLeast) return sample_rate;
  throw Failure(wire::Status::unsupported,
                "loudness cannot be measured at a sample rate of " + std::to_string(sample_rate) + " Hz",
                "it takes " + std::to_string(kLeast) + " Hz at least");
}

}  // namespace

Meter::Meter(int sample_rate, int channels, int bit_depth)
    : channels_(static_cast<std::size_t>(channels)),
      block_frames_(static_cast<std::size_t>((measurable(sample_rate) + 5) / 10)),
      weighting_(sample_rate, block_frames_),
      states_(channels_),
      oversampler_(sample_rate),
      history_(block_frames_),
      shape_(sample_rate, channels_, bit_depth),
      tile_peaks_(channels_),
      tile_samples_(channels_) {
  lanes_[0].resize(channels_ * stride());
}

void Meter::add(std::span<const float> interleaved) {
  const float* next = interleaved.data();
  std::size_t frames = interleaved.size() / channels_;
  while (frames > 0) {
    const std::size_t count = std::min(frames, block_frames_ - filled_);
    extract(next, count);
    filled_ += count;
    next += count * channels_;
    frames -= count;
    if (filled_ == block_frames_) end_block();
  }
}

void Meter::extract(const float* interleaved, std::size_t frames) {
  if (channels_ == 2) {
    extract_stereo(interleaved, frames, planar(lane_, 0) + filled_, planar(lane_, 1) + filled_);
    return;
  }
  for (std::size_t channel = 0; channel < channels_; ++channel)
    extract_channel(interleaved, channels_, channel, frames, planar(lane_, channel) + filled_);
}

void Meter::end_block() {
  for (std::size_t start = 0; start < filled_; start += kTile) scan_tile(start, std::min(kTile, filled_ - start));
  if (filled_ < block_frames_) return;  // the audio's last, which no loudness window covers

  const std::size_t next = (lane_ + 1) % KWeighting::kLanes;
  std::vector<float>& following = lanes_[next];
  if (following.empty()) following.resize(channels_ * stride());
  for (std::size_t channel = 0; channel < channels_; ++channel)
    std::memcpy(planar(next, channel) - Oversampler::kHistory,
                planar(lane_, channel) + block_frames_ - Oversampler::kHistory, sizeof(float) * Oversampler::kHistory);
  if (next == 0) weigh(KWeighting::kLanes);
  lane_ = next;
  filled_ = 0;
}

void Meter::scan_tile(std::size_t start, std::size_t count) {
  float loudest = 0;
  for (std::size_t channel = 0; channel < channels_; ++channel) {
    const float* samples = planar(lane_, channel) + start;
    tile_samples_[channel] = samples;
    const Extremes found = extremes(samples, count);
    shape_.offset(channel, found.sum);
    shape_.clipping(channel, samples, count, found.peak);
    look_between_samples(channel, samples, count, found.peak);
    loudest = std::max(loudest, found.peak);
  }
  sample_peak_ = std::max(sample_peak_, loudest);
  shape_.silence(tile_samples_.data(), count, loudest);
}

void Meter::look_between_samples(std::size_t channel, const float* samples, std::size_t count, float peak) {
  // The filter reaches into the tile before; a tile shorter than that is the end of a block, and what comes before
  // it is taken into account twice over.
  const float reach = std::max(peak, tile_peaks_[channel]);
  tile_peaks_[channel] = count >= Oversampler::kHistory ? peak : reach;
  true_peak_ = std::max(true_peak_, peak);
  if (reach * oversampler_.bound() > true_peak_) true_peak_ = std::max(true_peak_, oversampler_.peak(samples, count));
}

void Meter::weigh(std::size_t blocks) {
  std::array<std::array<double, LoudnessHistory::kParts>, KWeighting::kLanes> sums{};
  std::array<const float*, KWeighting::kLanes> samples{};
  KWeighting::Energies energies{};
  for (std::size_t channel = 0; channel < channels_; ++channel) {
    const double weight = channel_weight(channel, channels_);
    if (weight == 0) continue;
    for (std::size_t lane = 0; lane < blocks; ++lane) samples[lane] = planar(lane, channel);
    weighting_.energies(samples.data(), blocks, states_[channel], energies);
    for (std::size_t lane = 0; lane < blocks; ++lane)
      for (std::size_t part = 0; part < LoudnessHistory::kParts; ++part)
        sums[lane][part] += weight * energies[lane][part];
  }
  for (std::size_t lane = 0; lane < blocks; ++lane) history_.add(sums[lane]);
}

void Meter::finish() {
  end_block();
  if (lane_ > 0) weigh(lane_);
  // What still rings in the interpolation after the last sample.
  std::array<float, 2 * Oversampler::kHistory> end{};
  for (std::size_t channel = 0; channel < channels_; ++channel) {
    std::memcpy(end.data(), planar(lane_, channel) + filled_ - Oversampler::kHistory,
                sizeof(float) * Oversampler::kHistory);
    true_peak_ = std::max(true_peak_, oversampler_.peak(end.data() + Oversampler::kHistory, Oversampler::kTaps));
  }
}

wire::Loudness Meter::loudness() const {
  wire::Loudness found = history_.figures();
  found.true_peak_dbtp = decibels(true_peak_);
  found.sample_peak_dbfs = decibels(sample_peak_);
  return found;
}

}  // namespace audiostore::audio
