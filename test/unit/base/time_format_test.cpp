#include "base/time_format.hpp"

#include <gtest/gtest.h>

namespace audiostore {
namespace {

using namespace std::chrono_literals;

const TimePoint kAt = std::chrono::sys_days{std::chrono::year{2013} / 5 / 24} + 1h + 2min + 3s + 4567us;

TEST(TimeFormat, WritesEachForm) {
  EXPECT_EQ(iso8601_basic(kAt), "20130524T010203Z");
  EXPECT_EQ(iso8601(kAt), "2013-05-24T01:02:03.004Z");
  EXPECT_EQ(rfc1123(kAt), "Fri, 24 May 2013 01:02:03 GMT");
}

TEST(TimeFormat, ReadsWhatItWrites) {
  EXPECT_EQ(parse_iso8601_basic("20130524T010203Z"), std::chrono::floor<std::chrono::seconds>(kAt));
  EXPECT_EQ(parse_rfc1123("Fri, 24 May 2013 01:02:03 GMT"), std::chrono::floor<std::chrono::seconds>(kAt));
  EXPECT_EQ(parse_iso8601("2013-05-24T01:02:03.004567Z"), kAt);
  EXPECT_EQ(parse_iso8601("2013-05-24T01:02:03.004567999Z"), kAt);
  EXPECT_EQ(parse_iso8601("2013-05-24T03:02:03.004567+02:00"), kAt);
  EXPECT_EQ(parse_iso8601("2013-05-23T23:32:03.004567-0130"), kAt);
}

TEST(TimeFormat, RefusesWhatIsNoTime) {
  for (const char* text : {"", "2013-05-24", "2013-02-30T00:00:00Z", "2013-05-24T24:00:00Z", "2013-05-24T00:00:00",
                           "2013-05-24T00:00:00.Z", "2013-05-24T00:00:00Zx", "2013-5-24T00:00:00Z", "garbage"}) {
    EXPECT_FALSE(parse_iso8601(text)) << text;
  }
  for (const char* text :
       {"", "Fri, 24 May 2013 01:02:03", "Xyz, 24 May 2013 01:02:03 GMT", "Fri, 24 Foo 2013 01:02:03 GMT"}) {
    EXPECT_FALSE(parse_rfc1123(text)) << text;
  }
}

}  // namespace
}  // namespace audiostore
