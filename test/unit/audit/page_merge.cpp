#include "audit/page_merge.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace audiostore::audit {
namespace {

using std::chrono::seconds;

constexpr TimePoint kCutoff{std::chrono::hours(1000)};
constexpr TimePoint kOld = kCutoff - seconds(10);

std::vector<store::ObjectInfo> objects_of(const std::vector<std::string>& keys, TimePoint written = kOld) {
  std::vector<store::ObjectInfo> objects;
  for (auto const& key : keys) {
    store::ObjectInfo& object = objects.emplace_back();
    object.key = key;
    object.size = key.size();
    object.last_modified = written;
  }
  return objects;
}

struct Table {
  unsigned relation;
  std::vector<Row> rows;
};

// All rounds; "finding key relation".
std::vector<std::string> merged(PageMerge& merge, const std::vector<Table>& tables) {
  std::vector<std::string> found;
  for (int round = 0; round < 1000; round++) {
    for (Table const& table : tables) {
      merge.begin_table(table.relation, "path");
      for (Row const& row : table.rows) {
        if (row.key <= merge.span().after) continue;
        if (!merge.add(row)) break;
      }
    }
    for (Candidate const& candidate : merge.finish_round()) {
      found.push_back(std::string(finding_name(candidate.finding)) + " " + candidate.key +
                      (candidate.relation != 0 ? " " + std::to_string(candidate.relation) : ""));
    }
    if (merge.next_round()) return found;
  }
  ADD_FAILURE() << "it does not end";
  return found;
}

using Found = std::vector<std::string>;

TEST(PageMerge, FindsWhatIsWithoutTheOther) {
  PageMerge merge(objects_of({"a", "c", "d"}), {.prefix = "", .after = "", .until = {}}, {.cutoff = kCutoff});
  EXPECT_EQ(merged(merge, {{1, {{.key = "a", .size = {}}, {.key = "b", .size = {}}}}, {2, {{.key = "d", .size = {}}}}}),
            (Found{"dangling_row b 1", "orphaned_object c"}));
}

TEST(PageMerge, YoungObjectsAreNoOrphans) {
  auto objects = objects_of({"a", "b", "c", "d"});
  objects[0].last_modified = kCutoff;
  objects[1].last_modified = kCutoff - seconds(1);
  objects[2].last_modified = TimePoint{};  // the store does not say
  objects[3].last_modified = kCutoff + seconds(1);
  PageMerge merge(objects, {.prefix = "", .after = "", .until = {}}, {.cutoff = kCutoff});
  EXPECT_EQ(merged(merge, {}), Found{"orphaned_object b"});
}

TEST(PageMerge, ComparesSizesAndOneSuspicionIsEnoughForEachKeyAndTable) {
  PageMerge merge(objects_of({"a", "bb"}), {.prefix = "", .after = "", .until = {}}, {.cutoff = kCutoff});
  EXPECT_EQ(merged(merge, {{1,
                            {{.key = "a", .size = 1},
                             {.key = "bb", .size = 1},
                             {.key = "bb", .size = 2},
                             {.key = "bb", .size = 3},
                             {.key = "c", .size = 1},
                             {.key = "c", .size = {}}}}}),
            (Found{"size_mismatch bb 1", "dangling_row c 1"}));
}

TEST(PageMerge, OnlyTheSpanCounts) {
  PageMerge merge(objects_of({"a", "b", "c", "d"}), {.prefix = "", .after = "a", .until = "c"}, {.cutoff = kCutoff});
  EXPECT_EQ(merged(merge, {{1, {{.key = "b", .size = {}}, {.key = "bb", .size = {}}, {.key = "e", .size = {}}}}}),
            (Found{"dangling_row bb 1", "orphaned_object c"}));
  EXPECT_EQ(merge.objects_done(), 2U);
}

TEST(PageMerge, VerifiesTheSampleOfRowsThatStateAChecksum) {
  std::vector<std::string> keys;
  keys.reserve(1000);
  for (int i = 0; i < 1000; i++) keys.push_back("k" + std::to_string(10000 + i));
  std::vector<Row> rows;
  rows.reserve(keys.size());
  for (auto const& key : keys) rows.push_back({.key = key, .size = {}, .checksum = key.back() != '9'});
  PageMerge all(objects_of(keys), {.prefix = "", .after = "", .until = {}}, {.cutoff = kCutoff, .verify = true});
  EXPECT_EQ(merged(all, {{1, rows}}).size(), 900U);
  PageMerge some(objects_of(keys), {.prefix = "", .after = "", .until = {}},
                 {.cutoff = kCutoff, .verify = true, .sample = 0.1});
  auto const one = merged(some, {{1, rows}});
  EXPECT_GT(one.size(), 50U);
  EXPECT_LT(one.size(), 130U);
  PageMerge other(objects_of(keys), {.prefix = "", .after = "", .until = {}},
                  {.cutoff = kCutoff, .verify = true, .sample = 0.1, .seed = 1});
  EXPECT_NE(merged(other, {{1, rows}}), one);
}

TEST(PageMerge, ASecondThatHasNotEndedIsYoung) {
  EXPECT_TRUE(old_enough(kOld, kOld + seconds(1)));
  EXPECT_FALSE(old_enough(kOld, kOld + std::chrono::milliseconds(999)));
  EXPECT_FALSE(old_enough(kOld + std::chrono::milliseconds(1), kOld + std::chrono::milliseconds(500)));
}

// Against a slow and simple account, with rounds of few suspects.
TEST(PageMerge, RoundsFindTheSame) {
  std::mt19937 random(7);
  for (int run = 0; run < 300; run++) {
    auto const some = [&](int most) { return static_cast<int>(random() % static_cast<unsigned>(most)); };
    std::set<std::string> object_keys;
    std::vector<std::multiset<std::string>> held(3);
    for (int i = 0; i < some(40); i++) object_keys.insert("k" + std::to_string(some(60)));
    for (auto& keys : held) {
      for (int i = 0; i < some(40); i++) keys.insert("k" + std::to_string(some(60)));
    }
    std::set<std::string> expected;
    std::set<std::string> spoken_for;
    std::vector<Table> tables;
    for (unsigned table = 0; table < held.size(); table++) {
      tables.push_back({table + 1, {}});
      for (auto const& key : held[table]) {
        tables.back().rows.push_back({.key = key, .size = {}});
        spoken_for.insert(key);
        if (!object_keys.contains(key)) expected.insert("dangling_row " + key + " " + std::to_string(table + 1));
      }
    }
    for (auto const& key : object_keys) {
      if (!spoken_for.contains(key)) expected.insert("orphaned_object " + key);
    }
    PageMerge merge(objects_of({object_keys.begin(), object_keys.end()}), {.prefix = "", .after = "", .until = {}},
                    {.cutoff = kCutoff, .most_suspects = 1 + static_cast<std::size_t>(some(5))});
    auto const found = merged(merge, tables);
    EXPECT_EQ(std::set<std::string>(found.begin(), found.end()), expected);
    EXPECT_EQ(found.size(), expected.size()) << "something twice";
  }
}

}  // namespace
}  // namespace audiostore::audit
