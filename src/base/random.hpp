// Randomness as a port: backoff jitter and temporary names are repeatable in tests.
#pragma once

#include <cstdint>
#include <random>

namespace audiostore {

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t bits() = 0;
  // Uniform in [0, 1).
  double fraction() { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }
};

class SystemRandom final : public Random {
 public:
  std::uint64_t bits() override { return (std::uint64_t{device_()} << 32) | device_(); }

 private:
  std::random_device device_;
};

// The same numbers for the same seed (SplitMix64, Steele, Lea and Flood 2014).
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits() override {
    state_ += 0x9E3779B97F4A7C15;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
    return mixed ^ (mixed >> 31);
  }

 private:
  std::uint64_t state_;
};

}  // namespace audiostore
