#include "http/retry.hpp"

#include <gtest/gtest.h>

#include "base/time_format.hpp"

namespace audiostore::http {
namespace {

using namespace std::chrono_literals;

class FixedRandom final : public Random {
 public:
  explicit FixedRandom(double fraction) : bits_(static_cast<std::uint64_t>(fraction * 0x1.0p53) << 11U) {}
  std::uint64_t bits() override { return bits_; }

 private:
  std::uint64_t bits_;
};

const RetryPolicy kPolicy{5, 100ms, 1000ms};

TEST(Retry, DelaysDoubleUpToTheLimitWithFullJitter) {
  FixedRandom most(0.9999999);
  FixedRandom least(0);
  FixedRandom half(0.5);
  const Failure failure{ErrorKind::throttled, {}};
  const RetryPolicy many{100, 100ms, 1000ms};
  EXPECT_EQ(next_delay(1, many, failure, most), 100ms);
  EXPECT_EQ(next_delay(2, many, failure, most), 200ms);
  EXPECT_EQ(next_delay(4, many, failure, most), 800ms);
  EXPECT_EQ(next_delay(5, many, failure, most), 1000ms);
  EXPECT_EQ(next_delay(99, many, failure, most), 1000ms);
  EXPECT_EQ(next_delay(2, many, failure, half), 100ms);
  EXPECT_EQ(next_delay(4, many, failure, least), 0ms);
}

TEST(Retry, GivesUpAfterTheLastAttempt) {
  FixedRandom random(0.5);
  EXPECT_TRUE(next_delay(4, kPolicy, {ErrorKind::timeout, {}}, random));
  EXPECT_FALSE(next_delay(5, kPolicy, {ErrorKind::timeout, {}}, random));
}

TEST(Retry, OnlyWhatMayPassIsRepeated) {
  FixedRandom random(0.5);
  for (const ErrorKind kind : {ErrorKind::throttled, ErrorKind::unavailable, ErrorKind::timeout, ErrorKind::interrupted,
                               ErrorKind::server_error, ErrorKind::bad_reply}) {
    EXPECT_TRUE(next_delay(1, kPolicy, {kind, {}}, random)) << static_cast<int>(kind);
  }
  for (const ErrorKind kind :
       {ErrorKind::not_found, ErrorKind::access_denied, ErrorKind::no_such_bucket, ErrorKind::invalid_key,
        ErrorKind::precondition_failed, ErrorKind::cancelled, ErrorKind::too_large, ErrorKind::internal}) {
    EXPECT_FALSE(next_delay(1, kPolicy, {kind, {}}, random)) << static_cast<int>(kind);
  }
}

TEST(Retry, WaitsAsLongAsTheServerAsksWithinTheLimit) {
  FixedRandom random(0);
  EXPECT_EQ(next_delay(1, kPolicy, {ErrorKind::throttled, 700ms}, random), 700ms);
  EXPECT_EQ(next_delay(1, kPolicy, {ErrorKind::throttled, 60000ms}, random), 1000ms);
}

TEST(Retry, ReadsRetryAfter) {
  const TimePoint now = *parse_rfc1123("Fri, 24 May 2013 00:00:00 GMT");
  const auto read = [&](const char* value) { return retry_after(Response{503, {{"Retry-After", value}}, {}}, now); };
  EXPECT_EQ(read("7"), 7000ms);
  EXPECT_EQ(read("Fri, 24 May 2013 00:00:09 GMT"), 9000ms);
  EXPECT_EQ(read("Fri, 24 May 2013 00:00:00 GMT"), 0ms);
  EXPECT_EQ(read("Thu, 23 May 2013 00:00:00 GMT"), 0ms);
  EXPECT_FALSE(read("soon"));
  EXPECT_FALSE(retry_after(Response{}, now));
}

}  // namespace
}  // namespace audiostore::http
