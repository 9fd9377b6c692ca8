// Batches, emptied directories, and writers that come in between.
#include <atomic>
#include <thread>

#include "scratch.hpp"

namespace audiostore::store::local {
namespace {

using namespace std::string_literals;

class LocalRemoval : public Scratch {};

TEST_F(LocalRemoval, OneOutcomeForEachKeyInTheOrderGiven) {
  LocalStore store = make();
  put(store, "b/2");
  put(store, "a/1");
  std::filesystem::create_symlink("a", root_ / "link");
  const std::vector<std::string> batch{"b/2", "nope", "../x", "a/1", "link/1", "b/2"};
  const auto outcomes = run(store.remove(batch));
  ASSERT_EQ(outcomes.size(), batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) EXPECT_EQ(outcomes[i].key, batch[i]);
  EXPECT_FALSE(outcomes[0].error);
  EXPECT_FALSE(outcomes[1].error);
  EXPECT_EQ(outcomes[2].error->kind(), ErrorKind::invalid_key);
  EXPECT_FALSE(outcomes[3].error);
  EXPECT_EQ(outcomes[4].error->kind(), ErrorKind::invalid_key);
  EXPECT_FALSE(outcomes[5].error);
  EXPECT_TRUE(keys(store).empty());
}

TEST_F(LocalRemoval, TakesAThousandKeysAndNotOneMore) {
  LocalStore store = make();
  std::vector<std::string> batch;
  for (int i = 0; i < 1000; ++i) {
    batch.emplace_back("d" + std::to_string(i % 7) + "/" + std::to_string(i));
    write_file(root_ / batch.back());
  }
  for (const auto& outcome : run(store.remove(batch))) EXPECT_FALSE(outcome.error);
  EXPECT_TRUE(keys(store).empty());
  EXPECT_TRUE(std::filesystem::is_empty(root_));
  batch.emplace_back("one more");
  EXPECT_EQ(error_of([&] { run(store.remove(batch)); }).kind(), ErrorKind::invalid_argument);
  EXPECT_TRUE(run(store.remove({})).empty());
}

TEST_F(LocalRemoval, EmptiedDirectoriesGoAndOthersStay) {
  LocalStore store = make();
  put(store, "a/b/c/d");
  put(store, "a/x");
  remove(store, "a/b/c/d");
  EXPECT_FALSE(std::filesystem::exists(root_ / "a" / "b"));
  EXPECT_TRUE(std::filesystem::exists(root_ / "a" / "x"));
  remove(store, "a/x");
  EXPECT_FALSE(std::filesystem::exists(root_ / "a"));
  EXPECT_TRUE(std::filesystem::exists(root_));
}

TEST_F(LocalRemoval, APutSurvivesARemovalThatEmptiesItsDirectory) {
  std::atomic<bool> stop{false};
  std::thread remover([&] {
    LocalStore store = make();
    while (!stop) (void)remove(store, "d/e/f/other");
  });
  LocalStore store = make();
  for (int i = 0; i < 100; ++i) {
    put(store, "d/e/f/mine", std::to_string(i));
    EXPECT_EQ(get(store, "d/e/f/mine"), std::to_string(i));
    EXPECT_FALSE(remove(store, "d/e/f/mine"));
  }
  stop = true;
  remover.join();
  EXPECT_TRUE(keys(store).empty());
}

TEST_F(LocalRemoval, ReadersSeeTheOldObjectOrTheNewOne) {
  LocalStore store = make();
  const std::string old(300'000, 'a');
  const std::string young(400'000, 'b');
  put(store, "k", old);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    LocalStore other = make();
    for (int i = 0; !stop; ++i) put(other, "k", i % 2 == 0 ? young : old);
  });
  for (int i = 0; i < 500; ++i) {
    const std::string seen = get(store, "k");
    ASSERT_TRUE(seen == old || seen == young);
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace audiostore::store::local
