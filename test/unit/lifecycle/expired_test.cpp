#include "lifecycle/expired.hpp"

#include <gtest/gtest.h>

namespace audiostore::lifecycle {
namespace {

using std::chrono::seconds;

constexpr TimePoint kNow{std::chrono::hours(1000)};

store::ListPage page_of(const std::vector<std::pair<std::string, TimePoint>>& objects) {
  store::ListPage page;
  for (auto const& [key, time] : objects) {
    store::ObjectInfo& object = page.objects.emplace_back();
    object.key = key;
    object.last_modified = time;
  }
  return page;
}

std::vector<std::string> keys_of(const store::ListPage& page, std::string_view prefix) {
  std::vector<std::string> keys;
  for (auto const* object : expired_of(page, {.prefix = prefix, .before = kNow})) keys.push_back(object->key);
  return keys;
}

using Keys = std::vector<std::string>;

TEST(Expired, IsWhatWasWrittenBefore) {
  auto const page = page_of({{"a", kNow - seconds(1)}, {"b", kNow}, {"c", kNow + seconds(1)}});
  EXPECT_EQ(keys_of(page, ""), Keys{"a"});
}

TEST(Expired, APrefixIsBytes) {
  auto const old = kNow - seconds(1);
  auto const page = page_of({{"images", old}, {"images/a", old}, {"images2/a", old}});
  EXPECT_EQ(keys_of(page, "images/"), Keys{"images/a"});
  EXPECT_EQ(keys_of(page, "images"), (Keys{"images", "images/a", "images2/a"}));
}

TEST(Expired, WhatAStoreListsOutsideOfThePrefixStays) {
  auto const old = kNow - seconds(1);
  EXPECT_EQ(keys_of(page_of({{"cache/a", old}, {"final/a", old}}), "cache/"), Keys{"cache/a"});
}

TEST(Expired, WithoutATimeNothingIsOld) { EXPECT_EQ(keys_of(page_of({{"a", TimePoint{}}}), ""), Keys{}); }

TEST(Expired, EachKeyOnceInOrder) {
  auto const old = kNow - seconds(1);
  EXPECT_EQ(keys_of(page_of({{"b", old}, {"a", old}, {"b", old}}), ""), (Keys{"a", "b"}));
}

}  // namespace
}  // namespace audiostore::lifecycle
