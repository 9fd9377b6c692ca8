// Listings come in the byte order of whole keys, whatever the directories' own order is.
#include <random>
#include <set>

#include "scratch.hpp"
#include "store/local/walk.hpp"

namespace audiostore::store::local {
namespace {

using namespace std::string_literals;

using Keys = std::vector<std::string>;

class LocalListing : public Scratch {
 protected:
  void make_files(const Keys& names) const {
    for (const auto& name : names) write_file(root_ / name);
  }
};

TEST_F(LocalListing, SortsWholeKeysNotNames) {
  const Keys expected{"a!",   "a-b", "a-b2",    "a.b", "a/b",        "a/b-c/d",         "a/b.c",
                      "a/bc", "a0",  "aa/\x01", "b",   "\xC3\xA9/x", "\xF0\x9F\x8E\xA7"};
  make_files(expected);
  LocalStore store = make();
  EXPECT_EQ(keys(store), expected);
  for (std::size_t limit = 1; limit < 6; ++limit) EXPECT_EQ(keys(store, "", "", limit), expected) << limit;
}

TEST_F(LocalListing, PrefixesAreNotDirectories) {
  make_files({"ab/c", "abc", "abd/e", "b", "ab/cd/e"});
  LocalStore store = make();
  EXPECT_EQ(keys(store, "ab"), (Keys{"ab/c", "ab/cd/e", "abc", "abd/e"}));
  EXPECT_EQ(keys(store, "ab/"), (Keys{"ab/c", "ab/cd/e"}));
  EXPECT_EQ(keys(store, "ab/c"), (Keys{"ab/c", "ab/cd/e"}));
  EXPECT_EQ(keys(store, "ab/cd/"), (Keys{"ab/cd/e"}));
  EXPECT_EQ(keys(store, "abc/"), Keys{});
  EXPECT_EQ(keys(store, "zzz"), Keys{});
  EXPECT_EQ(keys(store, "/"), Keys{});
  EXPECT_EQ(keys(store, "ab//"), Keys{});
  EXPECT_EQ(keys(store, "./ab"), Keys{});
}

TEST_F(LocalListing, ContinuesAfterAnyKeyThereOrNot) {
  const Keys all{"a-b", "a/b", "a/c/d", "a/c/e", "a0", "b/c"};
  make_files(all);
  LocalStore store = make();
  for (const std::string& after : {""s, "a"s, "a-b"s, "a/"s, "a/b"s, "a/c"s, "a/c/"s, "a/c/d"s, "a/c/dd"s, "a/d"s,
                                   "a/~"s, "a0"s, "b"s, "b/c"s, "c"s}) {
    Keys expected;
    for (const auto& key : all) {
      if (key > after) expected.push_back(key);
    }
    EXPECT_EQ(keys(store, "", after), expected) << after;
    EXPECT_EQ(keys(store, "", after, 1), expected) << after;
  }
  EXPECT_EQ(keys(store, "a/", "a-b"), (Keys{"a/b", "a/c/d", "a/c/e"}));
  EXPECT_EQ(keys(store, "a/", "a0"), Keys{});
}

TEST_F(LocalListing, AgreesWithSortingForRandomTrees) {
  std::mt19937 random(7);
  const std::string_view alphabet = "-./0a";
  for (int round = 0; round < 30; ++round) {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directory(root_);
    std::set<std::string> expected;
    for (int i = 0; i < 60; ++i) {
      std::string key;
      for (unsigned n = 1 + random() % 6; n > 0; --n) key += alphabet[random() % alphabet.size()];
      LocalStore store = make();
      try {
        put(store, key, "");
        expected.insert(key);
      } catch (const Error&) {
      }
    }
    LocalStore store = make();
    EXPECT_EQ(keys(store), Keys(expected.begin(), expected.end()));
    EXPECT_EQ(keys(store, "", "", 1 + random() % 7), Keys(expected.begin(), expected.end()));
    const std::string prefix(1, alphabet[random() % 5]);
    const std::string after = *std::next(expected.begin(), static_cast<long>(random() % expected.size()));
    Keys filtered;
    for (const auto& key : expected) {
      if (key.starts_with(prefix) && key > after) filtered.push_back(key);
    }
    EXPECT_EQ(keys(store, prefix, after, 3), filtered) << prefix << ' ' << after;
    // The same through a window much smaller than a directory.
    Walk walk("", "", 3);
    Keys walked;
    const Root root(root_.string());
    while (auto object = walk.next(root)) walked.push_back(object->key);
    EXPECT_EQ(walked, Keys(expected.begin(), expected.end()));
  }
}

TEST_F(LocalListing, DirectoriesOutsideTheRangeAreNotRead) {
  make_files({"a/1", "b/1", "b/c/1", "b/d/1", "c/1"});
  // A directory that cannot be read fails every listing that touches it.
  std::filesystem::permissions(base_, std::filesystem::perms::all);
  for (const auto* closed : {"a", "c", "b/c"})
    std::filesystem::permissions(root_ / closed, std::filesystem::perms::none);
  LocalStore store = make();
  become_nobody();
  const Keys by_prefix = keys(store, "b/d");
  const Keys by_after = keys(store, "b/", "b/c0");
  const auto error = error_of([&] { keys(store); });
  become_root_again();
  EXPECT_EQ(by_prefix, Keys{"b/d/1"});
  EXPECT_EQ(by_after, Keys{"b/d/1"});
  EXPECT_EQ(error.kind(), ErrorKind::access_denied);
  for (const auto* closed : {"a", "c", "b/c"})
    std::filesystem::permissions(root_ / closed, std::filesystem::perms::all);
}

TEST_F(LocalListing, PassesOverWhatIsNoKey) {
  make_files({"good", "bad\xFF", "sub/.audiostore-tmp/x", ".audiostore-tmp/y", "lost+found/z"});
  LocalStore store = make();
  EXPECT_EQ(keys(store), (Keys{"good", "lost+found/z"}));
}

TEST_F(LocalListing, AListingGoesOnWhileObjectsComeAndGo) {
  LocalStore store = make();
  for (char c = 'a'; c <= 'j'; ++c) put(store, std::string(1, c));
  const ListPage first = run(store.list({.prefix = {}, .after = {}, .limit = 3}));
  ASSERT_EQ(first.resume, "c");
  remove(store, "d");
  LocalStore elsewhere = make();
  remove(elsewhere, "e");
  put(store, "c2");
  EXPECT_EQ(keys(store, "", first.resume), (Keys{"c2", "f", "g", "h", "i", "j"}));
  std::filesystem::remove_all(root_);
  std::filesystem::create_directory(root_);
  EXPECT_EQ(keys(store, "", first.resume), Keys{});
}

TEST_F(LocalListing, ACursorOfOneListingIsNotTakenForAnother) {
  make_files({"a/1", "a/2", "a/3", "b"});
  LocalStore store = make();
  EXPECT_EQ(run(store.list({.prefix = "a/", .after = {}, .limit = 1})).resume, "a/1");
  EXPECT_EQ(keys(store, "", "a/1"), (Keys{"a/2", "a/3", "b"}));
  EXPECT_EQ(run(store.list({.prefix = "a/", .after = {}, .limit = 1})).resume, "a/1");
  write_file(root_ / "a" / "11");
  clock_.advance(std::chrono::minutes{2});
  EXPECT_EQ(keys(store, "a/", "a/1"), (Keys{"a/11", "a/2", "a/3"}));
}

TEST_F(LocalListing, AnEmptyStoreIsAnEmptyPage) {
  LocalStore store = make();
  const ListPage page = run(store.list({}));
  EXPECT_TRUE(page.objects.empty());
  EXPECT_FALSE(page.more);
}

}  // namespace
}  // namespace audiostore::store::local
