#include "audio/limiter.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "audio/samples.hpp"

namespace audiostore::audio {

namespace {

constexpr double kLookAheadSeconds = 0.005;
constexpr double kReleaseSeconds = 0.1;
constexpr double kAudibleCut = 0.98855309465693886;  // -0.1 dB

}  // namespace

void Limiter::Average::smooth(std::span<double> values) {
  // Copies in registers: the loop waits for nothing but one addition.
  double sum = sum_;
  std::size_t position = position_;
  std::size_t below_one = below_one_;
  for (double& value : values) {
    const double oldest = std::exchange(values_[position], value);
    below_one += static_cast<std::size_t>(value < 1.0);
    below_one -= static_cast<std::size_t>(oldest < 1.0);
    sum += value - oldest;
    if (++position == values_.size()) position = 0;
    if (below_one == 0) sum = static_cast<double>(values_.size());
    value = below_one == 0 ? 1.0 : std::min(1.0, sum * share_);
  }
  sum_ = sum;
  position_ = position;
  below_one_ = below_one;
}

double Limiter::Minimum::next(double value) {
  ++time_;
  if (count_ > 0 && queue_[first_].time + length_ <= time_) {
    first_ = wrapped(first_ + 1);
    --count_;
  }
  while (count_ > 0 && queue_[wrapped(first_ + count_ - 1)].value >= value) --count_;
  if (value < 1.0) {
    queue_[wrapped(first_ + count_)] = {time_, value};
    ++count_;
  }
  return count_ > 0 ? queue_[first_].value : 1.0;
}

Limiter::Limiter(int sample_rate, int channels, float ceiling)
    : channels_(static_cast<std::size_t>(channels)),
      ceiling_(ceiling),
      oversampler_(sample_rate),
      look_ahead_(std::max<std::size_t>(16, static_cast<std::size_t>(kLookAheadSeconds * sample_rate)) / 2 * 2),
      release_(1.0 - std::exp(-1.0 / (kReleaseSeconds * sample_rate))),
      minimum_(look_ahead_ + 2 * kReach),
      first_average_(look_ahead_ / 2),
      second_average_(look_ahead_ / 2),
      // The averages reach the minimum two frames before their length; the peak then lies in the middle of its reach.
      delay_(look_ahead_ + kReach + Oversampler::kDelay - 2),
      delayed_((delay_ + kChunk) * channels_),
      planar_(channels_, std::vector<float>(Oversampler::kHistory + kTile)),
      gains_(kTile),
      envelope_(kTile),
      tile_peaks_(channels_) {}

// Fills envelope_ with the level at each frame of the tile; false where none passes the ceiling.
bool Limiter::detect(const float* interleaved, std::size_t frames) {
  bool loud = false;
  for (std::size_t channel = 0; channel < channels_; ++channel) {
    float* samples = planar_[channel].data() + Oversampler::kHistory;
    extract_channel(interleaved, channels_, channel, frames, samples);
    const float peak = peak_of(samples, frames);
    const float reach = std::max(peak, tile_peaks_[channel]);
    loud = loud || reach * oversampler_.bound() > ceiling_;
    tile_peaks_[channel] = frames >= Oversampler::kHistory ? peak : reach;
  }
  if (loud) {
    std::fill(envelope_.begin(), envelope_.end(), 0.0F);
    for (std::size_t channel = 0; channel < channels_; ++channel) {
      const float* samples = planar_[channel].data() + Oversampler::kHistory;
      for (std::size_t i = 0; i < frames; ++i)
        envelope_[i] = std::max(envelope_[i], std::abs(*(samples + i - Oversampler::kDelay)));
      oversampler_.envelope(samples, frames, envelope_.data());
    }
  }
  for (std::vector<float>& planar : planar_)
    std::memmove(planar.data(), planar.data() + frames, sizeof(float) * Oversampler::kHistory);
  return loud;
}

double Limiter::hold(double needed) {
  const double least = minimum_.next(needed);
  // On the way up it stays below what is needed, on the way down it is there at once.
  held_ = std::min(least, held_ * (1.0 - release_) + least * release_);
  if (held_ > 0.99999) held_ = least;  // close enough to let go: the averages make it smooth
  return held_;
}

void Limiter::apply(float* frames_out, std::size_t frames, bool loud) {
  if (!loud && held_ == 1.0 && minimum_.resting() && first_average_.resting() && second_average_.resting()) return;
  const std::span<double> gains = std::span(gains_).first(frames);
  for (std::size_t i = 0; i < frames; ++i) {
    const float level = loud ? envelope_[i] : 0.0F;
    gains[i] = hold(level > ceiling_ ? static_cast<double>(ceiling_) / level : 1.0);
  }
  first_average_.smooth(gains);
  second_average_.smooth(gains);
  double deepest = deepest_;
  std::uint64_t limited = 0;
  for (const double gain : gains) {
    limited += static_cast<std::uint64_t>(gain < kAudibleCut);
    deepest = std::min(deepest, gain);
  }
  deepest_ = deepest;
  limited_ += limited;
  for (std::size_t i = 0; i < frames; ++i) {
    const auto gain = static_cast<float>(gains[i]);
    for (std::size_t channel = 0; channel < channels_; ++channel) *frames_out++ *= gain;
  }
}

void Limiter::process(std::span<const float> interleaved, const Output& output) {
  while (!interleaved.empty()) {
    const std::size_t frames = std::min(interleaved.size() / channels_, kChunk);
    process_chunk(interleaved.data(), frames, output);
    interleaved = interleaved.subspan(frames * channels_);
  }
}

void Limiter::process_chunk(const float* interleaved, std::size_t frames, const Output& output) {
  std::memcpy(delayed_.data() + delay_ * channels_, interleaved, sizeof(float) * frames * channels_);
  for (std::size_t start = 0; start < frames; start += kTile) {
    const std::size_t count = std::min(kTile, frames - start);
    const bool loud = detect(interleaved + start * channels_, count);
    apply(delayed_.data() + start * channels_, count, loud);
  }
  taken_ += frames;
  // Before the first frame come those that the delay was filled with.
  const std::uint64_t due = taken_ > delay_ ? taken_ - delay_ : 0;
  const auto ready = static_cast<std::size_t>(due - given_);
  if (ready > 0) output(std::span(delayed_).subspan((frames - ready) * channels_, ready * channels_));
  given_ = due;
  std::memmove(delayed_.data(), delayed_.data() + frames * channels_, sizeof(float) * delay_ * channels_);
}

void Limiter::finish(const Output& output) {
  const std::vector<float> silence(delay_ * channels_);
  process(silence, output);
}

}  // namespace audiostore::audio
