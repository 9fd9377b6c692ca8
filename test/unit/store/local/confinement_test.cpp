// Nothing outside the root is read, written or removed, whatever is inside it and whoever moves it about.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "scratch.hpp"

namespace audiostore::store::local {
namespace {

using namespace std::string_literals;

class LocalConfinement : public Scratch {};

TEST_P(LocalConfinement, RefusesKeysThatLeaveTheRoot) {
  LocalStore store = make({}, GetParam());
  write_file(outside_ / "secret", "secret");
  for (const std::string& key :
       {"../outside/secret"s, outside_.string() + "/secret", "a/../../outside/secret"s, "secret\0"s}) {
    for (const auto& call : std::vector<std::function<void()>>{
             [&] { put(store, key); }, [&] { get(store, key); }, [&] { run(store.head(key)); },
             [&] { throw *remove(store, key); }, [&] { run(store.copy(key, store, "x")); }}) {
      EXPECT_EQ(error_of(call).kind(), ErrorKind::invalid_key) << key;
    }
  }
  EXPECT_EQ(read_file(outside_ / "secret"), "secret");
}

TEST_P(LocalConfinement, FollowsNoSymbolicLink) {
  LocalStore store = make({}, GetParam());
  write_file(outside_ / "secret", "secret");
  write_file(root_ / "real" / "file", "real");
  std::filesystem::create_symlink(outside_, root_ / "out");
  std::filesystem::create_symlink(outside_ / "secret", root_ / "link");
  std::filesystem::create_symlink("real", root_ / "in");
  std::filesystem::create_symlink("/proc/self/cwd", root_ / "magic");
  for (const std::string& key : {"out/secret"s, "in/file"s, "magic/x"s, "link"s, "out/a/b"s}) {
    EXPECT_EQ(error_of([&] { get(store, key); }).kind(), ErrorKind::invalid_key) << key;
    EXPECT_EQ(error_of([&] { run(store.head(key)); }).kind(), ErrorKind::invalid_key) << key;
    const auto removed = remove(store, key);
    ASSERT_TRUE(removed) << key;
    EXPECT_EQ(removed->kind(), ErrorKind::invalid_key) << key;
    if (key != "link") {
      EXPECT_EQ(error_of([&] { put(store, key); }).kind(), ErrorKind::invalid_key) << key;
    }
  }
  put(store, "link", "mine");  // replaces the link itself
  EXPECT_EQ(get(store, "link"), "mine");
  EXPECT_EQ(read_file(outside_ / "secret"), "secret");
  EXPECT_EQ(read_file(root_ / "real" / "file"), "real");
  EXPECT_FALSE(std::filesystem::exists(outside_ / "a"));
  EXPECT_EQ(keys(store), (std::vector<std::string>{"link", "real/file"}));
  EXPECT_TRUE(keys(store, "out/").empty());
  EXPECT_TRUE(keys(store, "../outside/").empty());
  EXPECT_TRUE(keys(store, outside_.string()).empty());
}

TEST_P(LocalConfinement, AStagingDirectoryThatIsALinkIsRefused) {
  LocalStore store = make({}, GetParam());
  std::filesystem::create_symlink(outside_, root_ / ".audiostore-tmp");
  EXPECT_EQ(error_of([&] { put(store, "k"); }).kind(), ErrorKind::invalid_key);
  EXPECT_TRUE(std::filesystem::is_empty(outside_));
}

TEST_P(LocalConfinement, PipesAndDevicesAreNoObjects) {
  LocalStore store = make({}, GetParam());
  ASSERT_EQ(mkfifo((root_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(error_of([&] { get(store, "pipe"); }).kind(), ErrorKind::invalid_key);
  EXPECT_EQ(remove(store, "pipe")->kind(), ErrorKind::invalid_key);
  EXPECT_TRUE(keys(store).empty());
}

TEST_P(LocalConfinement, RootMayBeReachedThroughALink) {
  std::filesystem::create_directory_symlink(root_, base_ / "alias");
  LocalStore store({.root = (base_ / "alias").string(), .prefix = {}, .public_url = {}, .resolution = GetParam()},
                   clock_, random_);
  put(store, "k");
  EXPECT_EQ(get(store, "k"), "data");
}

// Somebody who may write inside the root swaps a directory and a link to the outside as fast as they can.
TEST_P(LocalConfinement, SurvivesDirectoriesSwappedForLinks) {
  write_file(outside_ / "victim", "victim");
  std::filesystem::create_directory(root_ / "d");
  write_file(root_ / "d" / "victim", "inside");
  std::filesystem::create_symlink(outside_, root_ / "trap");
  std::atomic<bool> stop{false};
  std::thread attacker([&] {
    while (!stop) {
      // RENAME_EXCHANGE: there is always something under the name.
      renameat2(AT_FDCWD, (root_ / "d").c_str(), AT_FDCWD, (root_ / "trap").c_str(), RENAME_EXCHANGE);
    }
  });
  LocalStore store = make({}, GetParam());
  int through = 0;
  for (int i = 0; i < 300; ++i) {
    try {
      put(store, "d/new/file", "mine");
      ++through;
    } catch (const Error& error) {
      // The walk tells a link from a file afterwards; by then it may be a directory again.
      EXPECT_THAT(error.kind(), testing::AnyOf(ErrorKind::invalid_key, ErrorKind::precondition_failed));
    }
    try {
      EXPECT_NE(get(store, "d/victim"), "victim");
    } catch (const Error&) {
    }
    if (const auto error = remove(store, "d/new/file")) {
      EXPECT_EQ(error->kind(), ErrorKind::invalid_key) << error->message();
    }
    (void)remove(store, "d/victim");
    for (const auto& key : keys(store)) EXPECT_TRUE(key.starts_with("d/") || key.starts_with("trap/")) << key;
  }
  stop = true;
  attacker.join();
  EXPECT_GT(through, 0);
  EXPECT_EQ(read_file(outside_ / "victim"), "victim");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(outside_), {}), 1);
}

INSTANTIATE_TEST_SUITE_P(Ways, LocalConfinement, testing::Values(Resolution::kernel, Resolution::walk),
                         [](const auto& way) { return way.param == Resolution::kernel ? "openat2" : "walk"; });

}  // namespace
}  // namespace audiostore::store::local
