// The K-weighting of ITU-R BS.1770-4 Annex 1, and the energy of what passes it. What would surprise you: eight blocks
// of 100 ms are filtered at once, one in each lane of a vector, although every block needs the filter's state at the
// end of the one before. The filter is linear: a first run from rest gives each block's own part of that state, the
// rest follows by a matrix, and a second run starts every lane from where it truly stands. No approximation.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace audiostore::audio {

class KWeighting {
 public:
  static constexpr std::size_t kLanes = 8;   // blocks filtered together
  static constexpr std::size_t kParts = 10;  // of a block, each with an energy of its own: about 10 ms
  using State = std::array<double, 4>;       // of one channel
  using Energies = std::array<std::array<double, kParts>, kLanes>;  // sums of squares

  KWeighting(int sample_rate, std::size_t block_frames);

  // Blocks in a row of one channel, block_frames each; fewer than kLanes at the end of the audio.
  void energies(const float* const* blocks, std::size_t count, State& state, Energies& out);

  struct Coefficients {
    double b0, b1, b2, a1, a2;  // high shelf
    double c1, c2;              // high pass; its numerator is 1, -2, 1
  };

 private:
  State advance(const State& state, const State& response) const;

  Coefficients filter_;
  std::size_t block_frames_;
  std::array<State, 4> transition_{};  // state after a silent block that began in each unit state
  std::vector<float> lanes_;           // block_frames_ times kLanes
};

}  // namespace audiostore::audio
