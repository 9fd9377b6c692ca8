#include "base/external_sort.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace audiostore {
namespace {

using Record = std::pair<std::string, std::string>;

std::vector<Record> all_after(const ExternalSort& sort, std::string_view after) {
  std::vector<Record> records;
  auto reader = sort.read_after(after);
  while (reader.next()) records.emplace_back(reader.key(), reader.value());
  return records;
}

TEST(ExternalSort, OfNothingIsNothing) {
  ExternalSort sort("/tmp");
  EXPECT_TRUE(sort.work(1));
  EXPECT_TRUE(all_after(sort, "").empty());
}

class ExternalSortOf : public testing::TestWithParam<int> {};

TEST_P(ExternalSortOf, ManyRecordsIsStdSort) {
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  ExternalSort sort("/tmp", {.memory = 4096, .fan_in = 3});
  std::vector<Record> expected;
  for (int i = 0; i < GetParam(); i++) {
    Record record{"key" + std::to_string(random() % 5000) + std::string(random() % 300, '\xff'),
                  std::string(random() % 20, static_cast<char>(random()))};
    sort.add(record.first, record.second);
    expected.push_back(std::move(record));
  }
  std::sort(expected.begin(), expected.end());
  int steps = 0;
  while (!sort.work(100)) steps++;
  if (GetParam() > 1000) {
    EXPECT_GT(steps, 5) << "it does not come in pieces";
  }
  auto sorted = all_after(sort, "");
  EXPECT_TRUE(std::is_sorted(sorted.begin(), sorted.end(),
                             [](const Record& a, const Record& b) { return a.first < b.first; }));
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted, expected);
  for (int i = 0; i < 20 && !expected.empty(); i++) {
    std::string const after = expected[random() % expected.size()].first;
    auto const behind = static_cast<std::size_t>(
        std::count_if(expected.begin(), expected.end(), [&](const Record& record) { return record.first > after; }));
    auto const found = all_after(sort, after);
    ASSERT_EQ(found.size(), behind);
    if (!found.empty()) {
      EXPECT_GT(found.front().first, after);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, ExternalSortOf, testing::Values(1, 10, 1000, 20000));

}  // namespace
}  // namespace audiostore
