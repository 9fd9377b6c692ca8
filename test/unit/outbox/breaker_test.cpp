#include "outbox/breaker.hpp"

#include <gtest/gtest.h>

namespace audiostore::outbox {
namespace {

class FixedRandom final : public Random {
 public:
  explicit FixedRandom(double fraction) : bits_(static_cast<std::uint64_t>(fraction * 0x1.0p53) << 11) {}
  std::uint64_t bits() override { return bits_; }

 private:
  std::uint64_t bits_;
};

constexpr Milliseconds kLongest{60000};
constexpr TimePoint kNow{};

TEST(Breaker, IsClosedUntilTripped) {
  Breaker breaker;
  EXPECT_FALSE(breaker.tripped());
  EXPECT_FALSE(breaker.open(kNow));
}

TEST(Breaker, StaysOpenForItsPauseAndThenAsksForAProbe) {
  Breaker breaker;
  FixedRandom random(0.5);
  breaker.trip(kNow, kLongest, random);
  EXPECT_TRUE(breaker.open(kNow));
  EXPECT_TRUE(breaker.tripped());
  EXPECT_FALSE(breaker.open(breaker.retry_at()));
  EXPECT_TRUE(breaker.tripped());
}

TEST(Breaker, PausesGrowWithEveryFailureUpToTheLongest) {
  Breaker breaker;
  FixedRandom random(0.0);
  Milliseconds last{0};
  for (int i = 0; i < 40; i++) {
    breaker.trip(kNow, kLongest, random);
    auto const pause = std::chrono::duration_cast<Milliseconds>(breaker.retry_at() - kNow);
    EXPECT_GE(pause, last);
    EXPECT_LE(pause, kLongest);
    last = pause;
  }
  EXPECT_EQ(last, kLongest / 2);
}

TEST(Breaker, JitterSpreadsThePauseOverItsUpperHalf) {
  FixedRandom low(0.0);
  FixedRandom high(0.999);
  Breaker a;
  Breaker b;
  for (int i = 0; i < 5; i++) {
    a.trip(kNow, kLongest, low);
    b.trip(kNow, kLongest, high);
  }
  EXPECT_LT(a.retry_at(), b.retry_at());
  EXPECT_LE(b.retry_at() - kNow, 2 * (a.retry_at() - kNow));
}

TEST(Breaker, SuccessStartsOver) {
  Breaker breaker;
  FixedRandom random(0.0);
  for (int i = 0; i < 5; i++) breaker.trip(kNow, kLongest, random);
  TimePoint const late = breaker.retry_at();
  breaker.close();
  EXPECT_FALSE(breaker.tripped());
  breaker.trip(kNow, kLongest, random);
  EXPECT_LT(breaker.retry_at(), late);
}

}  // namespace
}  // namespace audiostore::outbox
