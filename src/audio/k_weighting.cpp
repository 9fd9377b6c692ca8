#include "audio/k_weighting.hpp"

#include <cmath>
#include <cstring>
#include <numbers>

#include "audio/multiversion.hpp"

namespace audiostore::audio {

namespace {

constexpr std::size_t kLanes = KWeighting::kLanes;
using Lanes = double __attribute__((vector_size(sizeof(double) * kLanes)));
using NarrowLanes = float __attribute__((vector_size(sizeof(float) * kLanes)));

// Both biquads' memory, every lane at once (transposed direct form II).
struct LaneStates {
  double values[4][kLanes];
};

// The analogue prototypes behind the coefficients that BS.1770-4 tables 1 and 2 give for 48 kHz, for any rate by the
// bilinear transform.
KWeighting::Coefficients coefficients(int sample_rate) {
  KWeighting::Coefficients f{};
  constexpr double kShelfHz = 1681.974450955533;
  constexpr double kShelfGainDb = 3.999843853973347;
  constexpr double kShelfQ = 0.7071752369554196;
  double k = std::tan(std::numbers::pi * kShelfHz / sample_rate);
  const double high = std::pow(10.0, kShelfGainDb / 20.0);
  const double band = std::pow(high, 0.4996667741545416);
  double norm = 1.0 + k / kShelfQ + k * k;
  f.b0 = (high + band * k / kShelfQ + k * k) / norm;
  f.b1 = 2.0 * (k * k - high) / norm;
  f.b2 = (high - band * k / kShelfQ + k * k) / norm;
  f.a1 = 2.0 * (k * k - 1.0) / norm;
  f.a2 = (1.0 - k / kShelfQ + k * k) / norm;
  constexpr double kPassHz = 38.13547087602444;
  constexpr double kPassQ = 0.5003270373238773;
  k = std::tan(std::numbers::pi * kPassHz / sample_rate);
  norm = 1.0 + k / kPassQ + k * k;
  f.c1 = 2.0 * (k * k - 1.0) / norm;
  f.c2 = (1.0 - k / kPassQ + k * k) / norm;
  return f;
}

// Runs the filter over frames vectors of kLanes samples; adds the squares of what comes out to energy.
AUDIOSTORE_MULTIVERSION
void run(const KWeighting::Coefficients& f, const float* samples, std::size_t frames, LaneStates& states,
         double* energy) {
  Lanes z0;
  Lanes z1;
  Lanes z2;
  Lanes z3;
  std::memcpy(&z0, states.values[0], sizeof z0);
  std::memcpy(&z1, states.values[1], sizeof z1);
  std::memcpy(&z2, states.values[2], sizeof z2);
  std::memcpy(&z3, states.values[3], sizeof z3);
  Lanes sum{};
  for (std::size_t i = 0; i < frames; ++i) {
    NarrowLanes narrow;
    std::memcpy(&narrow, samples + i * kLanes, sizeof narrow);
    const Lanes x = __builtin_convertvector(narrow, Lanes);
    const Lanes y = f.b0 * x + z0;
    z0 = f.b1 * x + z1 - f.a1 * y;
    z1 = f.b2 * x - f.a2 * y;
    const Lanes u = y + z2;
    z2 = z3 - 2.0 * y - f.c1 * u;
    z3 = y - f.c2 * u;
    sum += u * u;
  }
  std::memcpy(states.values[0], &z0, sizeof z0);
  std::memcpy(states.values[1], &z1, sizeof z1);
  std::memcpy(states.values[2], &z2, sizeof z2);
  std::memcpy(states.values[3], &z3, sizeof z3);
  std::memcpy(energy, &sum, sizeof sum);
}

// Blocks side by side, so that one load gives the same moment of all of them. In tiles, for the cache.
AUDIOSTORE_MULTIVERSION
void interleave(const float* const* blocks, std::size_t count, std::size_t frames, float* lanes) {
  constexpr std::size_t kTile = 256;
  for (std::size_t start = 0; start < frames; start += kTile) {
    const std::size_t end = start + kTile < frames ? start + kTile : frames;
    for (std::size_t lane = 0; lane < count; ++lane) {
      const float* block = blocks[lane];
      for (std::size_t i = start; i < end; ++i) lanes[i * kLanes + lane] = block[i];
    }
  }
}

}  // namespace

KWeighting::KWeighting(int sample_rate, std::size_t block_frames)
    : filter_(coefficients(sample_rate)), block_frames_(block_frames), lanes_(block_frames * kLanes) {
  LaneStates states{};
  for (std::size_t unit = 0; unit < 4; ++unit) states.values[unit][unit] = 1.0;
  std::array<double, kLanes> unused{};
  run(filter_, lanes_.data(), block_frames_, states, unused.data());  // lanes_ is silent still
  for (std::size_t unit = 0; unit < 4; ++unit)
    for (std::size_t i = 0; i < 4; ++i) transition_[unit][i] = states.values[i][unit];
}

// The state after a block that began in `state` and would have ended in `response` had it begun at rest.
KWeighting::State KWeighting::advance(const State& state, const State& response) const {
  State next = response;
  for (std::size_t unit = 0; unit < 4; ++unit)
    for (std::size_t i = 0; i < 4; ++i) next[i] += transition_[unit][i] * state[unit];
  return next;
}

void KWeighting::energies(const float* const* blocks, std::size_t count, State& state, Energies& out) {
  if (count < kLanes) lanes_.assign(lanes_.size(), 0.0F);
  interleave(blocks, count, block_frames_, lanes_.data());

  LaneStates responses{};
  std::array<double, kLanes> sums{};
  run(filter_, lanes_.data(), block_frames_, responses, sums.data());
  LaneStates starts{};
  for (std::size_t lane = 0; lane < count; ++lane) {
    State response{};
    for (std::size_t i = 0; i < 4; ++i) {
      starts.values[i][lane] = state[i];
      response[i] = responses.values[i][lane];
    }
    state = advance(state, response);
  }

  std::size_t done = 0;
  for (std::size_t part = 0; part < kParts; ++part) {
    const std::size_t end = block_frames_ * (part + 1) / kParts;
    run(filter_, lanes_.data() + done * kLanes, end - done, starts, sums.data());
    for (std::size_t lane = 0; lane < count; ++lane) out[lane][part] = sums[lane];
    done = end;
  }
}

}  // namespace audiostore::audio
