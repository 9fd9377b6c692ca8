#include "html/quantity.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace audiostore::html {
namespace {

using namespace std::chrono_literals;

const TimePoint kNow = std::chrono::sys_days{std::chrono::year{2026} / 11 / 26} + 14h + 5min + 31s;

TEST(Quantity, Counts) {
  EXPECT_EQ(count(0), "0");
  EXPECT_EQ(count(999), "999");
  EXPECT_EQ(count(1000), "1,000");
  EXPECT_EQ(count(-1234567), "-1,234,567");
  EXPECT_EQ(count(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(Quantity, BytesInPowersOfAThousand) {
  EXPECT_EQ(bytes(0), "0 B");
  EXPECT_EQ(bytes(999), "999 B");
  EXPECT_EQ(bytes(1000), "1.00 kB");
  EXPECT_EQ(bytes(999'600), "1.00 MB");
  EXPECT_EQ(bytes(12'345'678'901), "12.3 GB");
  EXPECT_EQ(bytes(2.88e15), "2.88 PB");
  EXPECT_EQ(bytes(-5e9), "-5.00 GB");
  EXPECT_EQ(bytes(1e22), "10000 EB");
}

TEST(Quantity, PercentsAreNotRoundedToNothingOrAll) {
  EXPECT_EQ(percent(0), "0 %");
  EXPECT_EQ(percent(0.0001), "< 0.1 %");
  EXPECT_EQ(percent(0.123), "12.3 %");
  EXPECT_EQ(percent(0.82), "82 %");
  EXPECT_EQ(percent(0.9999), "> 99.9 %");
  EXPECT_EQ(percent(1), "100 %");
  EXPECT_EQ(percent(1.234), "123 %");
}

TEST(Quantity, Money) {
  EXPECT_EQ(money(0), "0.00");
  EXPECT_EQ(money(0.0042), "0.0042");
  EXPECT_EQ(money(1234.567), "1,234.57");
  EXPECT_EQ(money(-1234567.5), "-1,234,567.50");
}

TEST(Quantity, Decimals) {
  EXPECT_EQ(decimal(1.50, 2), "1.5");
  EXPECT_EQ(decimal(2.0, 2), "2");
  EXPECT_EQ(decimal(-0.001, 1), "0");
  EXPECT_EQ(decimal(100, 0), "100");
}

TEST(Quantity, Durations) {
  EXPECT_EQ(duration(0us), "0 \u00b5s");
  EXPECT_EQ(duration(350ms), "350 ms");
  EXPECT_EQ(duration(12'340ms), "12.3 s");
  EXPECT_EQ(duration(83min), "1 h 23 min");
  EXPECT_EQ(duration(60min), "1 h");
  EXPECT_EQ(duration(76h), "3 d 4 h");
  EXPECT_EQ(duration(-2s), "-2.00 s");
}

TEST(Quantity, SpansInWordsWhereTheyAreEven) {
  EXPECT_EQ(in_words(24h * 30), "30 days");
  EXPECT_EQ(in_words(1h), "1 hour");
  EXPECT_EQ(in_words(10min), "10 minutes");
  EXPECT_EQ(in_words(90min), "90 minutes");
  EXPECT_EQ(in_words(1500ms), "1.50 s");
}

TEST(Quantity, DistancesInTime) {
  EXPECT_EQ(ago(kNow, kNow), "just now");
  EXPECT_EQ(ago(kNow - 61s, kNow), "1 minute ago");
  EXPECT_EQ(ago(kNow - 47h, kNow), "1 day ago");
  EXPECT_EQ(ago(kNow + 3h, kNow), "in 3 hours");
  EXPECT_EQ(ago(kNow - 24h * 800, kNow), "2 years ago");
}

TEST(Quantity, PointsInTime) {
  EXPECT_EQ(day(kNow), "26 Nov");
  EXPECT_EQ(minute(kNow), "2026-11-26 14:05 UTC");
  EXPECT_EQ(second(kNow), "2026-11-26 14:05:31 UTC");
}

}  // namespace
}  // namespace audiostore::html
