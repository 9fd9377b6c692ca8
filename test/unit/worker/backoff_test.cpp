#include "worker/backoff.hpp"

#include <gtest/gtest.h>

namespace audiostore::worker {
namespace {

class FixedRandom final : public Random {
 public:
  explicit FixedRandom(double fraction) : bits_(static_cast<std::uint64_t>(fraction * 0x1.0p53) << 11) {}
  std::uint64_t bits() override { return bits_; }

 private:
  std::uint64_t bits_;
};

constexpr Backoff kBackoff{.first = Milliseconds{100}, .limit = Milliseconds{1000}};

TEST(Backoff, DoublesWithEveryFailureUpToItsLimit) {
  FixedRandom highest(0x1.fffffffffffffp-1);
  EXPECT_NEAR(static_cast<double>(kBackoff.pause(1, highest).count()), 100, 1);
  EXPECT_NEAR(static_cast<double>(kBackoff.pause(2, highest).count()), 200, 1);
  EXPECT_NEAR(static_cast<double>(kBackoff.pause(4, highest).count()), 800, 1);
  EXPECT_NEAR(static_cast<double>(kBackoff.pause(5, highest).count()), 1000, 1);
  EXPECT_NEAR(static_cast<double>(kBackoff.pause(1'000'000, highest).count()), 1000, 1);
}

TEST(Backoff, JitterTakesAwayHalfAtMost) {
  FixedRandom lowest(0);
  FixedRandom middle(0.5);
  EXPECT_EQ(kBackoff.pause(1, lowest), Milliseconds{50});
  EXPECT_EQ(kBackoff.pause(1, middle), Milliseconds{75});
  EXPECT_EQ(kBackoff.pause(100, lowest), Milliseconds{500});
}

TEST(Backoff, PausesBeforeTheFirstFailureToo) {
  FixedRandom lowest(0);
  EXPECT_EQ(kBackoff.pause(0, lowest), Milliseconds{50});
}

}  // namespace
}  // namespace audiostore::worker
