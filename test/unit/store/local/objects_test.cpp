// Writing, reading and describing objects.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <csignal>

#include "scratch.hpp"

namespace audiostore::store::local {
namespace {

using namespace std::string_literals;

using testing::HasSubstr;

class LocalObjects : public Scratch {};

TEST_F(LocalObjects, ReadsWhatWasWritten) {
  LocalStore store = make();
  const ObjectInfo written =
      put(store, "a/b/c.wav", "RIFF",
          {.content_type = "audio/wav", .metadata = {{"take", "1 \xC3\xA9"}}, .storage_class = {}});
  EXPECT_EQ(get(store, "a/b/c.wav"), "RIFF");
  const auto head = run(store.head("a/b/c.wav"));
  ASSERT_TRUE(head);
  EXPECT_EQ(head->key, "a/b/c.wav");
  EXPECT_EQ(head->size, 4U);
  EXPECT_EQ(head->etag, written.etag);
  EXPECT_EQ(head->last_modified, written.last_modified);
  EXPECT_EQ(head->storage_class, "STANDARD");
  EXPECT_EQ(head->content_type, "audio/wav");
  EXPECT_EQ(head->metadata, (Metadata{{"take", "1 \xC3\xA9"}}));
  EXPECT_EQ(staged_files(), 0U);
}

TEST_F(LocalObjects, EmptyObjectsExist) {
  LocalStore store = make();
  put(store, "empty", "");
  EXPECT_EQ(get(store, "empty"), "");
  EXPECT_EQ(run(store.head("empty"))->size, 0U);
  EXPECT_EQ(run(store.head("empty"))->content_type, "application/octet-stream");
}

TEST_F(LocalObjects, OverwritingReplacesContentTypeMetadataAndEtag) {
  LocalStore store = make();
  const auto first =
      put(store, "k", "one", {.content_type = "audio/wav", .metadata = {{"a", "b"}}, .storage_class = {}});
  const auto second = put(store, "k", "two");
  EXPECT_NE(first.etag, second.etag);
  const auto head = run(store.head("k"));
  EXPECT_EQ(head->content_type, "application/octet-stream");
  EXPECT_TRUE(head->metadata.empty());
  EXPECT_EQ(get(store, "k"), "two");
}

TEST_F(LocalObjects, NamesThatDifferInCaseAreDifferentKeys) {
  LocalStore store = make();
  put(store, "Song.wav", "upper");
  put(store, "song.wav", "lower");
  EXPECT_EQ(get(store, "Song.wav"), "upper");
  EXPECT_EQ(get(store, "song.wav"), "lower");
  remove(store, "song.wav");
  EXPECT_EQ(get(store, "Song.wav"), "upper");
}

TEST_F(LocalObjects, RangesAreExactAndComeInPieces) {
  LocalStore store = make();
  std::string big(1'000'003, '\0');
  for (std::size_t i = 0; i < big.size(); ++i) big[i] = static_cast<char>(i * 31 % 251);
  put(store, "big", big);
  std::size_t largest = 0;
  std::string all;
  const Sink sink = [&](BytesView piece) {
    largest = std::max(largest, piece.size());
    all += piece;
  };
  const auto info = run(store.get("big", {}, sink));
  EXPECT_EQ(all, big);
  EXPECT_EQ(info.size, big.size());
  EXPECT_LE(largest, std::size_t{256} << 10);
  EXPECT_EQ(get(store, "big", {.start = 999'999, .length = 3}), big.substr(999'999, 3));
  EXPECT_EQ(get(store, "big", {.start = 1'000'000, .length = 100}), big.substr(1'000'000));
  EXPECT_EQ(get(store, "big", {.start = 5, .length = {}}), big.substr(5));
  EXPECT_EQ(get(store, "big", {.start = 5, .length = 0}), "");
  for (const std::uint64_t start : {std::uint64_t{1'000'003}, std::uint64_t{1} << 62, ~std::uint64_t{0}}) {
    const auto error = error_of([&] { get(store, "big", {.start = start, .length = 1}); });
    EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
    EXPECT_THAT(error.detail(), HasSubstr("1000003 bytes"));
  }
}

TEST_F(LocalObjects, AnErrorOfTheSinkEndsTheRead) {
  LocalStore store = make();
  put(store, "k");
  const Sink sink = [](BytesView) { throw Error(ErrorKind::cancelled, "stop"); };
  EXPECT_EQ(error_of([&] { run(store.get("k", {}, sink)); }).kind(), ErrorKind::cancelled);
}

TEST_F(LocalObjects, AbsentObjectsAreAbsent) {
  LocalStore store = make();
  put(store, "file");
  put(store, "dir/file");
  for (const std::string& key : {"nope"s, "no/pe"s, "file/below"s, "dir"s, "dir/file/x/y"s}) {
    EXPECT_FALSE(run(store.head(key))) << key;
    const auto error = error_of([&] { get(store, key); });
    EXPECT_EQ(error.kind(), ErrorKind::not_found) << key;
    EXPECT_THAT(error.message(), HasSubstr("\"" + key + "\""));
    EXPECT_FALSE(remove(store, key)) << key;
  }
  EXPECT_EQ(get(store, "dir/file"), "data");
}

TEST_F(LocalObjects, AnObjectCannotBeADirectoryOfOthers) {
  LocalStore store = make();
  put(store, "a", "object");
  put(store, "d/e", "below");
  const auto below = error_of([&] { put(store, "a/b"); });
  EXPECT_EQ(below.kind(), ErrorKind::precondition_failed);
  EXPECT_FALSE(below.hint().empty());
  const auto above = error_of([&] { put(store, "d"); });
  EXPECT_EQ(above.kind(), ErrorKind::precondition_failed);
  EXPECT_FALSE(above.hint().empty());
  EXPECT_EQ(get(store, "a"), "object");
  EXPECT_EQ(get(store, "d/e"), "below");
  EXPECT_EQ(staged_files(), 0U);
}

TEST_F(LocalObjects, AnEmptyDirectoryDoesNotBlockAKey) {
  LocalStore store = make();
  std::filesystem::create_directory(root_ / "d");
  put(store, "d", "object");
  EXPECT_EQ(get(store, "d"), "object");
}

TEST_F(LocalObjects, ThePrefixIsPutOnAndTakenOff) {
  LocalStore store = make("raw/take-");
  put(store, "1.wav");
  EXPECT_TRUE(std::filesystem::exists(root_ / "raw" / "take-1.wav"));
  LocalStore all = make();
  put(all, "raw/other");
  put(all, "raw/take-/odd");
  EXPECT_EQ(keys(store), std::vector<std::string>{"1.wav"});
  EXPECT_EQ(run(store.head("1.wav"))->key, "1.wav");
  EXPECT_EQ(error_of([&] { put(store, "/odd"); }).kind(), ErrorKind::invalid_key);
  EXPECT_EQ(error_of([&] { put(store, ""); }).kind(), ErrorKind::invalid_key);
  EXPECT_EQ(remove(store, "")->kind(), ErrorKind::invalid_key);
  EXPECT_EQ(remove(store, "/odd")->kind(), ErrorKind::invalid_key);
  EXPECT_FALSE(remove(store, "1.wav"));
  EXPECT_EQ(keys(all), (std::vector<std::string>{"raw/other", "raw/take-/odd"}));
}

TEST_F(LocalObjects, CopiesIntoTheSameAndAnotherStore) {
  LocalStore store = make();
  std::filesystem::create_directory(base_ / "second");
  LocalStore second({.root = (base_ / "second").string(), .prefix = "p/", .public_url = {}, .resolution = {}}, clock_,
                    random_);
  const std::string data(3'000'000, 'z');
  put(store, "k", data, {.content_type = "audio/flac", .metadata = {{"m", "v"}}, .storage_class = {}});
  ASSERT_TRUE(store.can_copy_to(second));
  run(store.copy("k", second, "x/y"));
  run(store.copy("k", store, "k2"));
  run(store.copy("k", store, "k"));
  EXPECT_EQ(get(second, "x/y"), data);
  EXPECT_EQ(get(store, "k2"), data);
  EXPECT_EQ(get(store, "k"), data);
  EXPECT_EQ(run(second.head("x/y"))->content_type, "audio/flac");
  EXPECT_EQ(run(second.head("x/y"))->metadata, (Metadata{{"m", "v"}}));
  EXPECT_EQ(error_of([&] { run(store.copy("nope", second, "n")); }).kind(), ErrorKind::not_found);
  EXPECT_EQ(error_of([&] { run(store.copy("k", second, "../n")); }).kind(), ErrorKind::invalid_key);
}

TEST_F(LocalObjects, AMissingRootIsAMissingBucket) {
  LocalStore store = make();
  std::filesystem::remove_all(root_);
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { put(store, "k"); }, [&] { get(store, "k"); }, [&] { run(store.head("k")); }, [&] { keys(store); },
           [&] { remove(store, "k"); }, [&] { run(store.copy("k", store, "l")); }}) {
    const auto error = error_of(call);
    EXPECT_EQ(error.kind(), ErrorKind::no_such_bucket);
    EXPECT_THAT(error.message(), HasSubstr(root_.string()));
    EXPECT_FALSE(error.hint().empty());
  }
  write_file(root_, "a file");
  EXPECT_EQ(error_of([&] { put(store, "k"); }).kind(), ErrorKind::no_such_bucket);
  std::filesystem::remove(root_);
  std::filesystem::create_directory(root_);
  put(store, "k");
  EXPECT_EQ(get(store, "k"), "data");
}

TEST_F(LocalObjects, RefusesWhatItCannotKeep) {
  LocalStore store = make();
  EXPECT_EQ(
      error_of([&] { put(store, "k", "x", {.content_type = "a\nb", .metadata = {}, .storage_class = {}}); }).kind(),
      ErrorKind::invalid_argument);
  EXPECT_EQ(error_of([&] {
              put(store, "k", "x", {.content_type = {}, .metadata = {{"", "v"}}, .storage_class = {}});
            }).kind(),
            ErrorKind::invalid_argument);
  EXPECT_EQ(error_of([&] {
              put(store, "k", "x", {.content_type = {}, .metadata = {{"n", "\xFF"}}, .storage_class = {}});
            }).kind(),
            ErrorKind::invalid_argument);
  EXPECT_EQ(
      error_of([&] {
        put(store, "k", "x", {.content_type = {}, .metadata = {{"n", std::string(2048, 'v')}}, .storage_class = {}});
      }).kind(),
      ErrorKind::invalid_argument);
  EXPECT_EQ(
      error_of([&] { put(store, "k", "x", {.content_type = {}, .metadata = {}, .storage_class = "GLACIER"}); }).kind(),
      ErrorKind::unsupported);
  EXPECT_EQ(error_of([&] { run(store.set_storage_class("k", "GLACIER")); }).kind(), ErrorKind::unsupported);
  EXPECT_FALSE(run(store.head("k")));
  put(store, "k", "x", {.content_type = {}, .metadata = {{"n", std::string(2047, 'v')}}, .storage_class = "STANDARD"});
  EXPECT_EQ(run(store.head("k"))->metadata.at("n").size(), 2047U);
}

TEST_F(LocalObjects, LeftoversOfCrashedWritersAreInvisibleAndRemovedAfterADay) {
  LocalStore store = make();
  put(store, "k");
  write_file(root_ / ".audiostore-tmp" / "0123456789abcdef", "half");
  EXPECT_EQ(keys(store), std::vector<std::string>{"k"});
  clock_.advance(std::chrono::hours{23});
  keys(store);
  EXPECT_EQ(staged_files(), 1U);
  clock_.advance(std::chrono::hours{2});
  keys(store);
  EXPECT_EQ(staged_files(), 0U);
  EXPECT_EQ(keys(store), std::vector<std::string>{"k"});
}

TEST_F(LocalObjects, ForeignAttributesAreHostileInput) {
  LocalStore store = make();
  put(store, "k", "x", {.content_type = "audio/wav", .metadata = {{"a", "b"}}, .storage_class = {}});
  const std::string file = (root_ / "k").string();
  for (const std::string& value : {"{"s, "[1,2]"s, "\xFF"s, R"({"a":1})"s, std::string(3000, '[')}) {
    LocalStore other = make();
    const int fd = open(file.c_str(), O_RDONLY);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(fsetxattr(fd, "user.audiostore.metadata", value.data(), value.size(), 0), 0);
    close(fd);
    EXPECT_TRUE(run(other.head("k"))->metadata.empty());
  }
}

TEST_F(LocalObjects, SignedUrlNeedsAPublicUrl) {
  LocalStore closed = make();
  LocalStore open({.root = root_.string(), .prefix = "p/", .public_url = "https://cdn.example/audio", .resolution = {}},
                  clock_, random_);
  SignedUrlRequest request;
  const auto refusal = [&](const LocalStore& store) {
    return error_of([&] { (void)store.signed_url(request); }).kind();
  };
  request.key = "a b/\xC3\xA9+%.wav";
  EXPECT_EQ(refusal(closed), ErrorKind::unsupported);
  EXPECT_EQ(open.signed_url(request), "https://cdn.example/audio/p/a%20b/%C3%A9%2B%25.wav");
  request.method = "HEAD";
  request.key = "k";
  request.query = {{"dl", "a/b&c"}, {"x", ""}};
  EXPECT_EQ(open.signed_url(request), "https://cdn.example/audio/p/k?dl=a%2Fb%26c&x=");
  request.headers = {{"a", "b"}};
  EXPECT_EQ(refusal(open), ErrorKind::unsupported);
  request.headers.clear();
  request.method = "PUT";
  EXPECT_EQ(refusal(open), ErrorKind::unsupported);
  request.method = "GET";
  request.key = "../k";
  EXPECT_EQ(refusal(open), ErrorKind::invalid_key);
}

// The rest looks at what the operating system refuses.

TEST_F(LocalObjects, DeniedPermissionsAreAccessDenied) {
  LocalStore store = make();
  put(store, "open/k");
  put(store, "closed/k");
  std::filesystem::permissions(base_, std::filesystem::perms::all);
  std::filesystem::permissions(root_, std::filesystem::perms::all);
  std::filesystem::permissions(root_ / ".audiostore-tmp", std::filesystem::perms::all);
  std::filesystem::permissions(root_ / "closed", std::filesystem::perms::none);
  become_nobody();
  std::vector<Error> errors;
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { put(store, "closed/new"); }, [&] { get(store, "closed/k"); }, [&] { run(store.head("closed/k")); },
           [&] { keys(store); }, [&] { throw *remove(store, "closed/k"); }}) {
    errors.push_back(error_of(call));
  }
  become_root_again();
  for (const Error& error : errors) {
    EXPECT_EQ(error.kind(), ErrorKind::access_denied) << error.message();
    EXPECT_THAT(error.message(), HasSubstr("closed"));
    EXPECT_FALSE(error.hint().empty());
  }
  EXPECT_EQ(staged_files(), 0U);
  std::filesystem::permissions(root_ / "closed", std::filesystem::perms::all);
  EXPECT_EQ(get(store, "closed/k"), "data");
}

// Runs the body in a process of its own that sees another file system on the root directory; skips the test where the
// kernel allows neither root nor a user namespace to mount one. Options as for mount(8).
void on_file_system(const std::filesystem::path& root, const char* type, const char* options,
                    const std::function<void()>& body) {
  constexpr int kNotAllowed = 77;
  std::fflush(nullptr);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool privileged = geteuid() == 0;
    const std::string user = std::to_string(geteuid());
    const std::string group = std::to_string(getegid());
    bool ready = unshare(privileged ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) == 0;
    if (ready && !privileged) {
      std::ofstream("/proc/self/setgroups") << "deny";
      std::ofstream("/proc/self/uid_map") << "0 " << user << " 1";
      std::ofstream("/proc/self/gid_map") << "0 " << group << " 1";
    }
    ready = ready && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
            mount(type, root.c_str(), type, 0, options) == 0;
    if (!ready) _exit(kNotAllowed);
    try {
      body();
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
    std::fflush(nullptr);
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNotAllowed) GTEST_SKIP() << "mounting is not allowed here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(LocalObjects, AFullFileSystemIsAFullStore) {
  on_file_system(root_, "tmpfs", "size=1m", [this] {
    LocalStore store = make();
    put(store, "small", "old");
    const auto error = error_of([&] { put(store, "big", std::string(2 << 20, 'x')); });
    EXPECT_EQ(error.kind(), ErrorKind::store_full);
    EXPECT_THAT(error.message(), HasSubstr("\"big\""));
    EXPECT_FALSE(error.hint().empty());
    EXPECT_EQ(error_of([&] { put(store, "small", std::string(2 << 20, 'x')); }).kind(), ErrorKind::store_full);
    EXPECT_EQ(get(store, "small"), "old");
    EXPECT_EQ(keys(store), std::vector<std::string>{"small"});
    EXPECT_EQ(staged_files(), 0U);
    put(store, "fits", std::string(500'000, 'x'));
  });
}

TEST_F(LocalObjects, AReadOnlyFileSystemIsAccessDenied) {
  on_file_system(root_, "tmpfs", "size=1m", [this] {
    LocalStore store = make();
    put(store, "k");
    ASSERT_EQ(mount(nullptr, root_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
    EXPECT_EQ(error_of([&] { put(store, "k"); }).kind(), ErrorKind::access_denied);
    EXPECT_EQ(remove(store, "k")->kind(), ErrorKind::access_denied);
    EXPECT_EQ(get(store, "k"), "data");
  });
}

TEST_F(LocalObjects, WithoutExtendedAttributesObjectsAreOctetStreams) {
  on_file_system(root_, "ramfs", "", [this] {
    LocalStore store = make();
    put(store, "k", "x", {.content_type = "audio/wav", .metadata = {{"a", "b"}}, .storage_class = {}});
    EXPECT_EQ(get(store, "k"), "x");
    EXPECT_EQ(run(store.head("k"))->content_type, "application/octet-stream");
    EXPECT_TRUE(run(store.head("k"))->metadata.empty());
  });
}

TEST_F(LocalObjects, AFileSystemBelowTheRootIsRefusedForWriting) {
  std::filesystem::create_directory(root_ / "other");
  on_file_system(root_ / "other", "tmpfs", "size=1m", [this] {
    LocalStore store = make();
    const auto error = error_of([&] { put(store, "other/k"); });
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_FALSE(error.hint().empty());
  });
}

TEST_F(LocalObjects, AFileSizeLimitIsTooLarge) {
  LocalStore store = make();
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 100'000, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto error = error_of([&] { put(store, "big", std::string(200'000, 'x')); });
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(error.kind(), ErrorKind::too_large);
  EXPECT_FALSE(run(store.head("big")));
  EXPECT_EQ(staged_files(), 0U);
}

}  // namespace
}  // namespace audiostore::store::local
