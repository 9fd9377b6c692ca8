#include "audit/key_span.hpp"

#include <gtest/gtest.h>

namespace audiostore::audit {
namespace {

TEST(KeyPrefix, IsAFolderUnlessAStarSaysOtherwise) {
  EXPECT_EQ(key_prefix(""), "");
  EXPECT_EQ(key_prefix("images"), "images/");
  EXPECT_EQ(key_prefix("images/"), "images/");
  EXPECT_EQ(key_prefix("images*"), "images");
  EXPECT_EQ(key_prefix("*"), "");
}

std::vector<Milestone> even(const std::string& prefix, int count, double keys) {
  std::vector<Milestone> milestones;
  milestones.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; i++) milestones.push_back({prefix + std::to_string(1000 + i), keys});
  return milestones;
}

TEST(Cut, MakesSpansOfEqualNumbersOfKeys) {
  auto const spans = cut("", even("k", 100, 1000), {.most_spans = 4, .least_keys = 1000});
  ASSERT_EQ(spans.size(), 4U);
  EXPECT_EQ(spans[0], (KeySpan{.prefix = "", .after = "", .until = "k1024"}));
  EXPECT_EQ(spans[1], (KeySpan{.prefix = "", .after = "k1024", .until = "k1049"}));
  EXPECT_EQ(spans[2], (KeySpan{.prefix = "", .after = "k1049", .until = "k1074"}));
  EXPECT_EQ(spans[3], (KeySpan{.prefix = "", .after = "k1074", .until = {}}));
}

TEST(Cut, WeighsTables) {
  auto milestones = even("a", 100, 10000);
  for (auto const& rare : even("b", 100, 1)) milestones.push_back(rare);
  auto const spans = cut("", milestones, {.most_spans = 2, .least_keys = 1});
  ASSERT_EQ(spans.size(), 2U);
  EXPECT_EQ(spans[1].after, "a1050");
}

TEST(Cut, LooksAtThePrefixOnly) {
  auto milestones = even("a/", 100, 1000);
  for (auto const& other : even("b/", 10, 1000)) milestones.push_back(other);
  for (auto const& span : cut("b/", milestones, {.most_spans = 4, .least_keys = 1000})) {
    if (span.until) {
      EXPECT_TRUE(span.until->starts_with("b/"));
    }
  }
}

TEST(Cut, LeavesSmallOnesWhole) {
  EXPECT_EQ(cut("", even("k", 100, 10), {.most_spans = 4, .least_keys = 10000}).size(), 1U);
  EXPECT_EQ(cut("", {}, {.most_spans = 4, .least_keys = 10000}).size(), 1U);
}

TEST(Cut, SpansDoNotOverlapWhereOneKeyIsEverywhere) {
  std::vector<Milestone> same(100, Milestone{.key = "k", .keys = 1000});
  auto const spans = cut("", same, {.most_spans = 4, .least_keys = 1});
  ASSERT_EQ(spans.size(), 2U);
  EXPECT_EQ(spans[0].until, spans[1].after);
}

}  // namespace
}  // namespace audiostore::audit
