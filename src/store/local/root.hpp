// The confinement of a local store: every path is opened relative to the root directory and never leaves it.
// openat2(2) does this in the kernel; where it is missing, a walk that opens one directory after the other
// with O_NOFOLLOW does the same. Symbolic links are followed nowhere below the root.
//
// The root is opened anew for each store call, so a root that was replaced or unmounted is noticed.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace audiostore::store::local {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  void close() const noexcept;
  int fd_ = -1;
};

enum class Resolution {
  kernel,  // openat2, with the walk where the kernel has none
  walk,    // the walk alone; for tests
};

class Root {
 public:
  // Throws Error(no_such_bucket) when the directory is missing.
  explicit Root(const std::string& path, Resolution resolution = Resolution::kernel);

  int fd() const noexcept { return fd_.get(); }

  // Opens a path below the root; none with errno set when that fails. The empty path is the root itself.
  Descriptor open(const std::string& path, int flags) const;
  Descriptor open_directory(const std::string& path) const;

  // Opens a directory below the root and makes it, and its parents, where they are missing. The directories that
  // got a new entry are made durable before this returns. Throws.
  Descriptor make_directory(const std::string& path, std::string_view key) const;

 private:
  Descriptor fd_;
  Resolution resolution_;
};

// fsync of a file or directory, repeated when a signal interrupts it; 0 or errno.
int sync(int fd);

}  // namespace audiostore::store::local
