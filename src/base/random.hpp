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

}  // namespace audiostore
