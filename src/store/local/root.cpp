#include "store/local/root.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "store/local/failure.hpp"

namespace audiostore::store::local {
namespace {

constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr mode_t kDirectoryMode = 0777;  // the server's umask takes away what it must

int open_beneath(int root, const char* path, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    const auto fd = static_cast<int>(syscall(SYS_openat2, root, path, &how, sizeof(how)));
    if (fd >= 0 || (errno != EINTR && errno != EAGAIN)) return fd;
  }
}

int open_at(int directory, const std::string& name, int flags) {
  for (;;) {
    const int fd = openat(directory, name.c_str(), flags | O_NOFOLLOW);
    if (fd >= 0 || errno != EINTR) return fd;
  }
}

// O_DIRECTORY | O_NOFOLLOW reports a symbolic link as ENOTDIR; openat2 reports it as ELOOP. One answer for both.
void report_symlink(int directory, const std::string& name) {
  if (errno != ENOTDIR) return;
  struct stat status {};
  if (fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode)) {
    errno = ELOOP;
  } else {
    errno = ENOTDIR;
  }
}

Descriptor open_by_walk(int root, const std::string& path, int flags) {
  Descriptor directory;
  std::size_t begin = 0;
  for (;;) {
    const int base = directory ? directory.get() : root;
    const std::size_t slash = path.find('/', begin);
    const std::string name = path.substr(begin, slash == std::string::npos ? slash : slash - begin);
    if (name == "..") {  // keys never have one; confinement must not depend on it
      errno = EXDEV;
      return {};
    }
    const bool last = slash == std::string::npos;
    Descriptor next(open_at(base, name, last ? flags : kDirectory));
    if (!next) {
      report_symlink(base, name);
      return {};
    }
    if (last) return next;
    directory = std::move(next);
    begin = slash + 1;
  }
}

[[noreturn]] void throw_no_directory(int error_number, std::string_view action, std::string_view key) {
  if (error_number != ENOTDIR) throw failure(error_number, action, key);
  throw Error(ErrorKind::precondition_failed, "object \"" + std::string(key) + "\" cannot be stored under this key",
              "The part of the key before one of its slashes is itself an object.",
              "A local store cannot hold both an object and objects below it; choose another key.");
}

}  // namespace

void Descriptor::close() const noexcept {
  if (fd_ < 0) return;
  const int saved = errno;
  ::close(fd_);
  errno = saved;
}

int sync(int fd) {
  while (fsync(fd) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

Root::Root(const std::string& path, Resolution resolution)
    : fd_(::open(path.c_str(), kDirectory)), resolution_(resolution) {
  if (fd_) return;
  const int error_number = errno;
  if (error_number == ENOENT || error_number == ENOTDIR || error_number == ELOOP) {
    throw Error(ErrorKind::no_such_bucket, "root directory \"" + path + "\" of the store does not exist",
                error_number == ENOENT ? "" : "The path is not a directory.",
                "Create the directory on the database server, owned by the operating system user that runs "
                "PostgreSQL, or mount its file system.");
  }
  throw failure(error_number, "could not open root directory", path);
}

Descriptor Root::open(const std::string& path, int flags) const {
  const std::string& name = path.empty() ? std::string(".") : path;
  flags |= O_CLOEXEC | O_NOCTTY;
  if (resolution_ == Resolution::kernel) {
    Descriptor found(open_beneath(fd_.get(), name.c_str(), flags));
    // A sandbox older than the call answers EPERM; the walk finds out whether the file system means it.
    if (found || (errno != ENOSYS && errno != EPERM)) return found;
  }
  return open_by_walk(fd_.get(), name, flags);
}

Descriptor Root::open_directory(const std::string& path) const { return open(path, kDirectory); }

Descriptor Root::make_directory(const std::string& path, std::string_view key) const {
  if (Descriptor found = open_directory(path); found) return found;
  if (errno != ENOENT) throw_no_directory(errno, "could not open the directory of object", key);
  Descriptor directory = open_directory({});
  for (std::size_t begin = 0; directory && begin <= path.size();) {
    const std::size_t slash = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, slash - begin);
    bool made = false;
    Descriptor next;
    // Whoever removes an emptied directory may be faster than we are: then make it again.
    for (int attempt = 0; !next && attempt < 100; ++attempt) {
      made = mkdirat(directory.get(), name.c_str(), kDirectoryMode) == 0 || made;
      if (!made && errno != EEXIST) break;
      next = Descriptor(open_at(directory.get(), name, kDirectory));
      if (!next && errno != ENOENT) {
        report_symlink(directory.get(), name);
        break;
      }
    }
    if (next && made) {
      if (const int error_number = sync(directory.get()); error_number != 0) {
        throw failure(error_number, "could not fsync the directory of object", key);
      }
    }
    directory = std::move(next);
    begin = slash + 1;
  }
  if (!directory && errno != ENOENT) throw_no_directory(errno, "could not create the directory of object", key);
  return directory;
}

}  // namespace audiostore::store::local
