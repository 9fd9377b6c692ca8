#include "base/front_coding.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace audiostore {
namespace {

std::vector<std::string> read_all(std::string_view coded, bool& complete) {
  std::vector<std::string> read;
  FrontCodedReader reader(coded);
  while (reader.next()) read.emplace_back(reader.current());
  complete = reader.complete();
  return read;
}

TEST(FrontCoding, GivesBackWhatWasWritten) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; round++) {
    std::vector<std::string> strings(random() % 300 + 1);
    for (std::string& string : strings) {
      string = std::string(random() % 3 == 0 ? 150 : 5, 'p');
      for (auto n = random() % 40; n > 0; n--) string.push_back(static_cast<char>(random() % 256));
    }
    std::sort(strings.begin(), strings.end());
    std::vector<std::string_view> const views(strings.begin(), strings.end());
    std::string coded;
    ASSERT_EQ(front_code(views, 1 << 20, coded), strings.size());
    bool complete = false;
    EXPECT_EQ(read_all(coded, complete), strings);
    EXPECT_TRUE(complete);
  }
}

TEST(FrontCoding, StopsWhereThereIsNoRoomLeft) {
  std::vector<std::string_view> const keys{"uploads/a1", "uploads/a2", "uploads/b1"};
  std::string coded;
  EXPECT_EQ(front_code(keys, 15, coded), 2U);
  EXPECT_EQ(coded.size(), 15U);
  coded.clear();
  EXPECT_EQ(front_code(keys, 14, coded), 1U);
  coded.clear();
  EXPECT_EQ(front_code(keys, 1, coded), 1U) << "one always fits";
}

// A part of the strings never takes more room than all of them did: packs are split in place.
TEST(FrontCoding, PartsAreNoLargerThanTheWhole) {
  std::vector<std::string> strings;
  strings.reserve(40);
  for (int i = 0; i < 40; i++) strings.push_back("a/rather/long/beginning/" + std::to_string(i * i));
  std::sort(strings.begin(), strings.end());
  std::vector<std::string_view> const views(strings.begin(), strings.end());
  std::string whole;
  front_code(views, 1 << 20, whole);
  for (std::size_t first = 0; first < views.size(); first++) {
    std::string part;
    front_code(std::span(views).subspan(first), 1 << 20, part);
    EXPECT_LE(part.size(), whole.size());
  }
}

TEST(FrontCoding, BrokenOctetsEndTheReading) {
  bool complete = true;
  EXPECT_TRUE(read_all(std::string("\x05\x01x", 3), complete).empty()) << "shares more than there is";
  EXPECT_FALSE(complete);
  EXPECT_TRUE(read_all(std::string("\x00\x09x", 3), complete).empty()) << "longer than the rest";
  EXPECT_FALSE(complete);
  EXPECT_TRUE(read_all("\xff\xff\xff\xff\xff\xff", complete).empty()) << "no end of a number";
  EXPECT_FALSE(complete);
  EXPECT_TRUE(read_all({}, complete).empty());
  EXPECT_TRUE(complete);
}

}  // namespace
}  // namespace audiostore
