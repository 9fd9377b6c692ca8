#include "cache/ring.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

#include "cache/summary.hpp"

namespace audiostore::cache {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

using Segments = std::array<SegmentState, kSegments>;

void open(Segments& segments, int segment, std::int64_t until) {
  segments[static_cast<std::size_t>(segment)] = {.used = true, .open = true, .until = until};
}

TEST(Ring, OpensASegmentThatEndsAQuarterLater) {
  Segments const segments{};
  Placement const placement = place(segments, 300 * kSecond, 300 * kSecond, false);
  EXPECT_EQ(placement.segment, -1);
  EXPECT_TRUE(placement.opens);
  EXPECT_EQ(placement.until, 375 * kSecond);
}

TEST(Ring, ShortLivesGetAtLeastTheLeastSlack) {
  Segments const segments{};
  EXPECT_EQ(place(segments, 1000, 1000, false).until, 1000 + kLeastSlack);
}

TEST(Ring, TakesTheOpenSegmentThatEndsFirstButNotBeforeTheEntry) {
  Segments segments{};
  open(segments, 3, 299 * kSecond);
  open(segments, 5, 370 * kSecond);
  open(segments, 9, 360 * kSecond);
  EXPECT_EQ(place(segments, 300 * kSecond, 300 * kSecond, false).segment, 9);
  segments[9].open = false;
  EXPECT_EQ(place(segments, 300 * kSecond, 300 * kSecond, false).segment, 5);
}

TEST(Ring, DoesNotKeepShortLivesInLongSegments) {
  Segments segments{};
  open(segments, 0, 86'400 * kSecond);
  EXPECT_TRUE(place(segments, 5 * kSecond, 5 * kSecond, false).opens);
}

TEST(Ring, SlackGrowsAsSegmentsRunShort) {
  std::int64_t last = 0;
  for (int empty = kSegments; empty >= 0; empty--) {
    std::int64_t const now = slack(100 * kSecond, empty);
    EXPECT_GE(now, last);
    last = now;
  }
  EXPECT_EQ(slack(100 * kSecond, kSegments), 25 * kSecond);
  EXPECT_GT(last, 1'000'000 * kSecond);
}

TEST(Ring, KeepsAReserveForEvictions) {
  Segments segments{};
  for (int i = 0; i < kSegments - kReserve; i++) {
    open(segments, i, (i + 1) * kSecond);
    segments[static_cast<std::size_t>(i)].open = false;
  }
  Placement const put = place(segments, 30 * kSecond, kSecond, false);
  EXPECT_FALSE(put.opens);
  EXPECT_EQ(put.segment, 29);
  EXPECT_TRUE(place(segments, 30 * kSecond, kSecond, true).opens);
}

TEST(Ring, PrefersALaterEndWhereNothingFits) {
  Segments segments{};
  open(segments, 1, 90 * kSecond);
  open(segments, 2, 500 * kSecond);
  EXPECT_EQ(find_nearest(segments, 100 * kSecond), 2);
  EXPECT_EQ(find_nearest(segments, 600 * kSecond), 2);
  EXPECT_EQ(find_nearest(Segments{}, 1), -1);
}

// Times to live from a second to a month, in any mixture: there is always a place, and while there are enough segments
// none waits longer than its time to live for its segment to end.
TEST(Ring, MixedLivesFindAPlace) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> exponent(0, std::log2(30.0 * 86'400));
  Segments segments{};
  std::int64_t now = 0;
  std::int64_t wasted = 0;
  std::int64_t lived = 0;
  for (int i = 0; i < 200'000; i++) {
    now += kSecond / 20;
    for (SegmentState& segment : segments) {
      if (segment.used && segment.until <= now) segment = {};
    }
    auto const ttl = static_cast<std::int64_t>(std::exp2(exponent(random)) * kSecond);
    Placement placement = place(segments, now + ttl, ttl, false);
    if (placement.opens) {
      std::size_t free = 0;
      while (segments[free].used) free++;
      open(segments, static_cast<int>(free), placement.until);
      placement.segment = static_cast<int>(free);
    }
    ASSERT_GE(placement.segment, 0);
    SegmentState& segment = segments[static_cast<std::size_t>(placement.segment)];
    segment.until = std::max(segment.until, now + ttl);
    wasted += segment.until - (now + ttl);
    lived += ttl;
  }
  EXPECT_LT(static_cast<double>(wasted), 0.5 * static_cast<double>(lived));
}

TEST(Ring, SegmentsAreFullWithAPartOfTheLimits) {
  EXPECT_FALSE(is_full(9'999, 0, {.entries = 200'000, .bytes = 0}));
  EXPECT_TRUE(is_full(10'000, 0, {.entries = 200'000, .bytes = 0}));
  EXPECT_TRUE(is_full(1, 50, {.entries = 200'000, .bytes = 1000}));
  EXPECT_FALSE(is_full(63, 0, {.entries = 1, .bytes = 0}));
  EXPECT_TRUE(is_full(1, std::int64_t{4} << 30, {.entries = 200'000, .bytes = 0}));
}

using Stores = std::array<Storage, kSegments>;

constexpr std::int64_t kMegabyte = std::int64_t{1} << 20;

TEST(Spare, APartOfWhatIsInUseIsAllowedAndALittleAlways) {
  Stores storage{};
  EXPECT_EQ(spare_allowed(storage, Keeps::empty), kMegabyte);
  storage[1] = {.used = true, .in_use = 60 * kMegabyte};
  storage[2] = {.used = true, .in_use = 40 * kMegabyte};
  EXPECT_EQ(spare_allowed(storage, Keeps::used), 25 * kMegabyte);
  EXPECT_EQ(spare_allowed(storage, Keeps::empty), 100 * kMegabyte / 16);
}

TEST(Spare, TheLargestGoFirstAndNoMoreThanMust) {
  Stores storage{};
  storage[3] = {.spare = 10};
  storage[5] = {.spare = 30};
  storage[7] = {.spare = 20};
  EXPECT_EQ(to_give_back(storage, 60, is_empty), 0U);
  EXPECT_EQ(to_give_back(storage, 59, is_empty), bit_of(5));
  EXPECT_EQ(to_give_back(storage, 30, is_empty), bit_of(5));
  EXPECT_EQ(to_give_back(storage, 29, is_empty), bit_of(5) | bit_of(7));
  EXPECT_EQ(to_give_back(storage, 0, is_empty), bit_of(3) | bit_of(5) | bit_of(7));
}

TEST(Spare, OfUsedSegmentsItCountsButStays) {
  Stores storage{};
  storage[0] = {.used = true, .in_use = 10, .spare = 100};
  storage[1] = {.spare = 10};
  EXPECT_EQ(to_give_back(storage, 105, is_empty), bit_of(1));
  EXPECT_EQ(to_give_back(storage, 5, is_empty), bit_of(1));
  EXPECT_EQ(to_give_back(storage, 5, is_sparse), bit_of(0));
}

TEST(Spare, CopyingIsWorthItForSparseSegmentsAlone) {
  EXPECT_TRUE(is_sparse({.used = true, .in_use = 10, .spare = 11}));
  EXPECT_FALSE(is_sparse({.used = true, .in_use = 10, .spare = 10}));
  EXPECT_FALSE(is_sparse({.used = false, .in_use = 0, .spare = 11}));
}

// What a lookup relies on: a key's segments are always among its candidates, and few others are.
TEST(Summary, NamesEverySegmentOfAKeyAndFewOthers) {
  constexpr std::size_t kWords = 1 << 12;
  std::vector<std::uint64_t> words(kWords);
  std::mt19937_64 random(7);
  std::vector<std::pair<std::uint64_t, int>> keys;
  for (int i = 0; i < 1000; i++) {
    std::uint64_t const hash = random();
    int const segment = static_cast<int>(random() % kSegments);
    WordPair const at = words_of(hash, kWords);
    ASSERT_NE(at.first, at.second);
    words[at.first] |= bit_of(segment);
    words[at.second] |= bit_of(segment);
    keys.emplace_back(hash, segment);
  }
  int others = 0;
  for (auto const& [hash, segment] : keys) {
    WordPair const at = words_of(hash, kWords);
    std::uint64_t const found = words[at.first] & words[at.second];
    EXPECT_NE(found & bit_of(segment), 0U);
    others += __builtin_popcountll(found) - 1;
  }
  EXPECT_LT(others, 20);
}

constexpr std::uint64_t place_at(std::uint64_t segment, std::uint64_t block, std::uint64_t offset) {
  return ((segment + 1) << 48) | (block << 16) | offset;
}

TEST(Places, ComeBackAsTheyWere) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 1000; i++) {
    std::uint64_t const hash = random();
    std::uint64_t const where = place_at(random() % kSegments, random() % (1U << 26), 1 + random() % 291);
    std::uint64_t const place = pack_place(hash, where);
    EXPECT_TRUE(is_place_of(place, hash));
    EXPECT_FALSE(is_place_of(place, ~hash));
    EXPECT_EQ(unpack_place(place), where);
  }
}

TEST(Places, OnesTooFarOutAreNotKept) {
  EXPECT_EQ(pack_place(~std::uint64_t{0}, place_at(3, std::uint64_t{1} << 26, 1)), 0U);
  EXPECT_EQ(pack_place(~std::uint64_t{0}, place_at(3, 1, 512)), 0U);
  EXPECT_NE(pack_place(0, place_at(0, 0, 1)), 0U);
  EXPECT_FALSE(is_place_of(0, 0));
}

TEST(Places, SetsAreWholeAndAllOfThemAreUsed) {
  constexpr std::size_t kPlaces = 1 << 10;
  std::mt19937_64 random(13);
  std::vector<int> used(kPlaces);
  for (int i = 0; i < 100'000; i++) {
    std::size_t const set = place_set(random(), kPlaces);
    ASSERT_EQ(set % kPlacesInSet, 0U);
    ASSERT_LE(set + kPlacesInSet, kPlaces);
    used[set]++;
  }
  for (std::size_t set = 0; set < kPlaces; set += kPlacesInSet) EXPECT_GT(used[set], 500);
}

}  // namespace
}  // namespace audiostore::cache
