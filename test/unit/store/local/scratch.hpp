// A directory of its own for each test, a local store in it, and a way to call a store's tasks.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "store/local/store.hpp"

namespace audiostore::store::local {

class ManualClock final : public Clock {
 public:
  TimePoint now() const override { return now_; }
  void advance(std::chrono::microseconds by) { now_ += by; }

 private:
  TimePoint now_ = SystemClock().now();
};

template <class T>
T run(Task<T> task) {
  task.start();
  EXPECT_TRUE(task.done());
  return task.take();
}

// The error that the call ends with; fails the test when there is none.
inline Error error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error was thrown";
  return {ErrorKind::internal, "no error"};
}

class Scratch : public testing::TestWithParam<Resolution> {
 public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "audiostore-unit-XXXXXX").string();
    base_ = mkdtemp(pattern.data());
    root_ = base_ / "root";
    outside_ = base_ / "outside";
    std::filesystem::create_directory(root_);
    std::filesystem::create_directory(outside_);
  }
  ~Scratch() override {
    become_root_again();
    std::error_code ignored;
    std::filesystem::remove_all(base_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

 protected:
  LocalStore make(std::string prefix = {}, Resolution resolution = Resolution::kernel) {
    return LocalStore({.root = root_.string(), .prefix = std::move(prefix), .public_url = {}, .resolution = resolution},
                      clock_, random_);
  }

  static ObjectInfo put(LocalStore& store, const std::string& key, std::string_view data = "data",
                        PutOptions options = {}) {
    return run(store.put(key, data, std::move(options)));
  }
  static std::string get(LocalStore& store, const std::string& key, Range range = {}) {
    std::string all;
    const Sink sink = [&all](BytesView piece) { all += piece; };
    run(store.get(key, range, sink));
    return all;
  }
  static std::vector<std::string> keys(LocalStore& store, const std::string& prefix = {}, const std::string& after = {},
                                       std::size_t limit = 1000) {
    std::vector<std::string> all;
    ListQuery query{.prefix = prefix, .after = after, .limit = limit};
    for (;;) {
      const ListPage page = run(store.list(query));
      EXPECT_LE(page.objects.size(), limit);
      for (const auto& object : page.objects) all.push_back(object.key);
      if (!page.more) return all;
      EXPECT_EQ(page.resume, page.objects.back().key);
      query.after = page.resume;
    }
  }
  static std::optional<Error> remove(LocalStore& store, const std::string& key) {
    return run(store.remove({key})).at(0).error;
  }

  void write_file(const std::filesystem::path& path, std::string_view data = "x") const {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << data;
  }
  static std::string read_file(const std::filesystem::path& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // Root may do everything, so tests of permissions step down.
  void become_nobody() {
    was_root_ = geteuid() == 0;
    if (was_root_) {
      EXPECT_EQ(seteuid(65534), 0);
    }
  }
  void become_root_again() {
    if (std::exchange(was_root_, false)) {
      EXPECT_EQ(seteuid(0), 0);
    }
  }
  std::size_t staged_files() const {
    const auto staging = root_ / ".audiostore-tmp";
    if (!std::filesystem::exists(staging)) return 0;
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(staging), {}));
  }

  std::filesystem::path base_, root_, outside_;
  ManualClock clock_;
  SystemRandom random_;
  bool was_root_ = false;
};

}  // namespace audiostore::store::local
