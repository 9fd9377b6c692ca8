// Fewer or more channels, by the coefficients of ITU-R BS.775-3 annex 4: 1 for a front channel that stays, 1/sqrt(2)
// for centre and surrounds, low frequency effects left out. What would surprise you: each row is divided by its sum,
// so that no sample can clip; a stereo pair becomes half of each.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "audio/resampler.hpp"

namespace audiostore::audio {

namespace {

constexpr std::size_t kBlockFrames = 8192;
constexpr float kLess = std::numbers::sqrt2_v<float> / 2;

enum class Place { left, right, centre, low, surround_left, surround_right };

// The order of channels that WAV, FLAC and this layer's loudness take for granted; empty for counts without one.
std::vector<Place> layout(int channels) {
  using enum Place;
  switch (channels) {
    case 1: return {centre};
    case 2: return {left, right};
    case 3: return {left, right, centre};
    case 4: return {left, right, surround_left, surround_right};
    case 5: return {left, right, centre, surround_left, surround_right};
    case 6: return {left, right, centre, low, surround_left, surround_right};
    case 7: return {left, right, centre, low, centre, surround_left, surround_right};
    case 8: return {left, right, centre, low, surround_left, surround_right, surround_left, surround_right};
    default: return {};
  }
}

// What reaches the left (or right) loudspeaker.
float to_side(Place place, bool left) {
  switch (place) {
    case Place::left: return left ? 1.0F : 0.0F;
    case Place::right: return left ? 0.0F : 1.0F;
    case Place::centre: return kLess;
    case Place::surround_left: return left ? kLess : 0.0F;
    case Place::surround_right: return left ? 0.0F : kLess;
    case Place::low: break;
  }
  return 0;
}

std::vector<float> normalised(std::vector<float> row) {
  float sum = 0;
  for (const float value : row) sum += value;
  if (sum > 1)
    for (float& value : row) value /= sum;
  return row;
}

// A row of input coefficients for each output channel.
std::vector<std::vector<float>> matrix(int from, int to) {
  const std::vector<Place> places = layout(from);
  if (places.empty() || to > 2)
    throw invalid_argument("cannot make " + std::to_string(to) + " channels from " + std::to_string(from),
                           "one and two channels can be made from up to eight");
  if (from == 1) return std::vector<std::vector<float>>(static_cast<std::size_t>(to), std::vector<float>{1.0F});
  std::vector<float> left;
  std::vector<float> right;
  std::vector<float> both;
  for (const Place place : places) {
    left.push_back(to_side(place, true));
    right.push_back(to_side(place, false));
    both.push_back(left.back() + right.back());
  }
  if (to == 1) return {normalised(both)};
  return {normalised(left), normalised(right)};
}

class Mixed final : public Source {
 public:
  Mixed(Source& inner, int channels)
      : inner_(inner),
        info_(inner.info()),
        from_(static_cast<std::size_t>(info_.channels)),
        matrix_(matrix(info_.channels, channels)),
        buffer_(kBlockFrames * from_) {
    // Copies stay on the steps of their sample format, sums do not.
    if (info_.channels != 1) info_.bit_depth = 0;
    info_.channels = channels;
  }

  const wire::Info& info() const override { return info_; }
  void seek(std::uint64_t frame) override { inner_.seek(frame); }

  std::size_t read(std::span<float> interleaved) override {
    const std::size_t to = matrix_.size();
    const std::size_t wanted = std::min(interleaved.size() / to, kBlockFrames);
    const std::size_t frames = inner_.read(std::span(buffer_).first(wanted * from_));
    for (std::size_t i = 0; i < frames; ++i)
      for (std::size_t channel = 0; channel < to; ++channel) {
        float sum = 0;
        for (std::size_t in = 0; in < from_; ++in) sum += matrix_[channel][in] * buffer_[i * from_ + in];
        interleaved[i * to + channel] = sum;
      }
    return frames;
  }

 private:
  Source& inner_;
  wire::Info info_;
  std::size_t from_;
  std::vector<std::vector<float>> matrix_;
  std::vector<float> buffer_;
};

}  // namespace

std::unique_ptr<Source> mixed(Source& inner, int channels) { return std::make_unique<Mixed>(inner, channels); }

}  // namespace audiostore::audio
