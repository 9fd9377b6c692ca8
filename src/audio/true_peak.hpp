// True peak by oversampling, ITU-R BS.1770-4 Annex 2: a windowed sinc of 12 taps for each point between two samples.
// What would surprise you: most audio is never oversampled. No filter output can exceed the largest sample beneath it
// times the sum of the taps' magnitudes, so stretches that cannot reach the peak found so far are passed over; the
// result is the same.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace audiostore::audio {

class Oversampler {
 public:
  static constexpr std::size_t kTaps = 12;
  static constexpr std::size_t kHistory = 16;  // samples that have to stand before those given; 11 are looked at
  static constexpr std::size_t kDelay = 6;     // the output at sample i lies between samples i - 6 and i - 5

  // 4 times below 96 kHz, twice below 192 kHz, from there on not at all.
  explicit Oversampler(int sample_rate);

  // No point between samples passes the largest sample times this.
  float bound() const { return bound_; }
  bool idle() const { return factor_ == 1; }

  // The largest magnitude between samples. samples[-kHistory .. count) are read, count is any.
  float peak(const float* samples, std::size_t count) const;

  // For each sample the largest magnitude between kDelay samples ago and the next: raises what is in envelope.
  void envelope(const float* samples, std::size_t count, float* envelope) const;

  using Phases = std::array<std::array<float, kTaps>, 3>;

 private:
  int factor_;
  float bound_ = 1;
  Phases taps_{};  // unused ones are zero
};

}  // namespace audiostore::audio
