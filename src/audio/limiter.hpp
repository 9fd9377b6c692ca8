// A look-ahead true-peak limiter. The gain that each moment needs is known 5 ms before it is due: the minimum over that
// time, let go slowly, is smoothed by two moving averages as long as the look-ahead together, so it has reached what
// the peak needs when the peak comes, and never jumps. What would surprise you: where nothing passes the ceiling it
// does no work per sample and changes nothing but the delay, which the caller does not see either: frames come out
// later, and finish() gives the last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "audio/true_peak.hpp"

namespace audiostore::audio {

class Limiter {
 public:
  using Output = std::function<void(std::span<float>)>;

  Limiter(int sample_rate, int channels, float ceiling);

  // Gives as many frames to output, in all, as it is given, once finish() has been called.
  void process(std::span<const float> interleaved, const Output& output);
  void finish(const Output& output);

  float deepest_gain() const { return static_cast<float>(deepest_); }
  std::uint64_t limited_frames() const { return limited_; }  // cut by more than 0.1 dB

 private:
  static constexpr std::size_t kTile = 128;          // looked at together
  static constexpr std::size_t kChunk = 64 * kTile;  // given out together
  static constexpr std::size_t kReach = 3;  // samples around a point between samples that its gain has to hold for

  // A moving average over the last `length` values; exact again as soon as nothing but ones is in it.
  class Average {
   public:
    explicit Average(std::size_t length)
        : values_(length, 1.0), sum_(static_cast<double>(length)), share_(1.0 / sum_) {}
    void smooth(std::span<double> values);
    bool resting() const { return below_one_ == 0; }

   private:
    std::vector<double> values_;
    double sum_;
    double share_;
    std::size_t position_ = 0;
    std::size_t below_one_ = 0;
  };

  // The minimum over the last `length` values.
  class Minimum {
   public:
    explicit Minimum(std::size_t length) : length_(length), queue_(length + 1) {}
    double next(double value);
    bool resting() const { return count_ == 0; }

   private:
    struct Entry {
      std::uint64_t time;
      double value;
    };
    std::size_t wrapped(std::size_t place) const { return place < queue_.size() ? place : place - queue_.size(); }
    std::size_t length_;
    std::vector<Entry> queue_;  // ring of rising values, none of them 1
    std::size_t first_ = 0;
    std::size_t count_ = 0;
    std::uint64_t time_ = 0;
  };

  bool detect(const float* interleaved, std::size_t frames);
  double hold(double needed);
  void apply(float* frames_out, std::size_t frames, bool loud);
  void process_chunk(const float* interleaved, std::size_t frames, const Output& output);

  std::size_t channels_;
  float ceiling_;
  Oversampler oversampler_;
  std::size_t look_ahead_;
  double release_;
  Minimum minimum_;
  Average first_average_;
  Average second_average_;
  double held_ = 1;
  double deepest_ = 1;
  std::uint64_t limited_ = 0;
  std::size_t delay_;                       // frames
  std::vector<float> delayed_;              // the last delay_ frames, then the chunk
  std::vector<std::vector<float>> planar_;  // per channel: history, then the tile
  std::vector<double> gains_;               // of the tile
  std::vector<float> envelope_;             // of the tile
  std::uint64_t taken_ = 0;                 // frames in
  std::uint64_t given_ = 0;                 // frames out
  std::vector<float> tile_peaks_;           // per channel, of the tile before
};

}  // namespace audiostore::audio
