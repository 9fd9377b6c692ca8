#include "watch/threshold.hpp"

#include <gtest/gtest.h>

namespace audiostore::watch {
namespace {

using std::chrono::seconds;

TimePoint at(int second) { return TimePoint(seconds(second)); }

constexpr Threshold kAbove{.above = 100, .below = std::nullopt, .hysteresis = std::nullopt, .lasting = {}};
constexpr Threshold kBelow{.above = std::nullopt, .below = 0.5, .hysteresis = std::nullopt, .lasting = {}};

std::optional<Crossing> raised_at(int second) { return Crossing{.since = at(second), .raised = true}; }

TEST(Threshold, IsNotCrossedByItsOwnValue) {
  EXPECT_FALSE(judge(kAbove, std::nullopt, 100, at(0)).raise);
  EXPECT_FALSE(judge(kBelow, std::nullopt, 0.5, at(0)).raise);
}

TEST(Threshold, RaisesOnceWhenCrossed) {
  Verdict const first = judge(kAbove, std::nullopt, 100.5, at(10));
  ASSERT_TRUE(first.crossing);
  EXPECT_TRUE(first.raise);
  EXPECT_EQ(first.crossing->since, at(10));
  Verdict const second = judge(kAbove, first.crossing, 200, at(20));
  EXPECT_FALSE(second.raise);
  EXPECT_FALSE(second.clear);
  EXPECT_EQ(second.crossing->since, at(10));
}

TEST(Threshold, ClearsWhenTheFigureIsBackByTheHysteresis) {
  EXPECT_FALSE(judge(kAbove, raised_at(0), 95.1, at(1)).clear);
  Verdict const back = judge(kAbove, raised_at(0), 95, at(1));
  EXPECT_TRUE(back.clear);
  EXPECT_FALSE(back.crossing);
  EXPECT_FALSE(judge(kBelow, raised_at(0), 0.52, at(1)).clear);
  EXPECT_TRUE(judge(kBelow, raised_at(0), 0.525, at(1)).clear);
}

TEST(Threshold, OscillationAroundItRaisesOnce) {
  std::optional<Crossing> crossing;
  int raised = 0;
  for (int i = 0; i < 100; i++) {
    Verdict const verdict = judge(kAbove, crossing, i % 2 == 0 ? 101 : 99, at(i));
    raised += verdict.raise ? 1 : 0;
    EXPECT_FALSE(verdict.clear);
    crossing = verdict.crossing;
  }
  EXPECT_EQ(raised, 1);
}

TEST(Threshold, TakesTheHysteresisThatItIsGiven) {
  Threshold wide = kAbove;
  wide.hysteresis = 50;
  EXPECT_FALSE(judge(wide, raised_at(0), 60, at(1)).clear);
  EXPECT_TRUE(judge(wide, raised_at(0), 50, at(1)).clear);
  wide.hysteresis = 0;
  EXPECT_TRUE(judge(wide, raised_at(0), 100, at(1)).clear);
}

TEST(Threshold, OfZeroClearsAtZero) {
  Threshold zero = kAbove;
  zero.above = 0;
  EXPECT_TRUE(judge(zero, std::nullopt, 1, at(0)).raise);
  EXPECT_TRUE(judge(zero, raised_at(0), 0, at(1)).clear);
}

TEST(Threshold, OfANegativeNumberComesBackInTheRightDirection) {
  Threshold cold = kAbove;
  cold.above = -100;
  EXPECT_FALSE(judge(cold, raised_at(0), -104, at(1)).clear);
  EXPECT_TRUE(judge(cold, raised_at(0), -105, at(1)).clear);
}

TEST(Threshold, WaitsUntilItHasLasted) {
  Threshold patient = kAbove;
  patient.lasting = seconds(60);
  Verdict const first = judge(patient, std::nullopt, 150, at(0));
  EXPECT_FALSE(first.raise);
  ASSERT_TRUE(first.crossing);
  EXPECT_FALSE(judge(patient, first.crossing, 150, at(59)).raise);
  EXPECT_TRUE(judge(patient, first.crossing, 150, at(60)).raise);
}

// The hysteresis is for what was raised: what is only waiting has to be beyond the threshold at every look.
TEST(Threshold, BeginsAnewWhenTheFigureWasBackInBetween) {
  Threshold patient = kAbove;
  patient.lasting = seconds(60);
  Verdict const first = judge(patient, std::nullopt, 150, at(0));
  Verdict const back = judge(patient, first.crossing, 99, at(30));
  EXPECT_FALSE(back.crossing);
  EXPECT_FALSE(back.clear);
  EXPECT_EQ(judge(patient, back.crossing, 150, at(61)).crossing->since, at(61));
}

TEST(Threshold, AClockThatWasSetBackBeginsAnew) {
  Threshold patient = kAbove;
  patient.lasting = seconds(60);
  EXPECT_EQ(judge(patient, Crossing{.since = at(1000), .raised = false}, 150, at(10)).crossing->since, at(10));
}

TEST(Threshold, ARangeHasTwoEnds) {
  Threshold range = kAbove;
  range.below = 10;
  EXPECT_TRUE(judge(range, std::nullopt, 101, at(0)).raise);
  EXPECT_TRUE(judge(range, std::nullopt, 9, at(0)).raise);
  EXPECT_FALSE(judge(range, std::nullopt, 50, at(0)).raise);
  EXPECT_FALSE(judge(range, raised_at(0), 9, at(1)).clear) << "from one end to the other is no way back";
}

}  // namespace
}  // namespace audiostore::watch
