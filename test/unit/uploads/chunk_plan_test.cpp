#include "uploads/chunk_plan.hpp"

#include <gtest/gtest.h>

#include <random>

namespace audiostore::uploads {
namespace {

void expect_exact_cover(const ChunkPlan& plan) {
  std::int64_t at = 0;
  for (std::int32_t i = 0; i < plan.count; ++i) {
    const Chunk chunk = plan.chunk(i);
    ASSERT_EQ(chunk.start, at);
    ASSERT_GT(chunk.end, chunk.start);
    ASSERT_LE(chunk.end - chunk.start, plan.length);
    at = chunk.end;
  }
  ASSERT_EQ(at, plan.duration);
}

TEST(ChunkPlan, CoversTheUploadWithoutGapOrOverlap) {
  for (std::int64_t duration = 1; duration < 60; ++duration) {
    for (std::int64_t length = 1; length < 70; ++length) {
      expect_exact_cover(*plan_chunks(duration, length));
    }
  }
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    const auto duration = static_cast<std::int64_t>(random() % 100'000'000) + 1;
    const auto length = static_cast<std::int64_t>(random() % 1'000'000) + 1'000;
    expect_exact_cover(*plan_chunks(duration, length));
  }
}

TEST(ChunkPlan, OneChunkWhenTheUploadIsNotLonger) {
  EXPECT_EQ(plan_chunks(300'000, 300'000)->count, 1);
  EXPECT_EQ(plan_chunks(300'001, 300'000)->count, 2);
  EXPECT_EQ(plan_chunks(1, kLongestMilliseconds)->count, 1);
  EXPECT_EQ(plan_chunks(1, kLongestMilliseconds)->chunk(0).end, 1);
}

TEST(ChunkPlan, HasNoMoreChunksThanAnIntegerCounts) {
  EXPECT_EQ(plan_chunks(2'147'483'647, 1)->count, 2'147'483'647);
  EXPECT_FALSE(plan_chunks(2'147'483'648, 1));
  EXPECT_FALSE(plan_chunks(kLongestMilliseconds, 1));
  const ChunkPlan long_one = *plan_chunks(kLongestMilliseconds, 5);
  EXPECT_EQ(long_one.chunk(long_one.count - 1).end, kLongestMilliseconds);
}

}  // namespace
}  // namespace audiostore::uploads
