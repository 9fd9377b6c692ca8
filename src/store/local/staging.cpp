#include "store/local/staging.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "store/local/failure.hpp"
#include "store/local/key.hpp"
#include "store/local/object.hpp"

namespace audiostore::store::local {
namespace {

constexpr mode_t kFileMode = 0666;  // the server's umask takes away what it must
constexpr auto kStaleAfter = std::chrono::hours{24};
constexpr int kPublishAttempts = 1000;
constexpr std::size_t kCopyPiece = std::size_t{16} << 20;

// Names that differ in case only are different keys, so a directory that takes them for one cannot be a store.
void check_case_sensitive(int root, int staging) {
  struct stat here {};
  struct stat upper {};
  if (fstat(staging, &here) == 0 && fstatat(root, ".AUDIOSTORE-TMP", &upper, AT_SYMLINK_NOFOLLOW) == 0 &&
      here.st_ino == upper.st_ino && here.st_dev == upper.st_dev) {
    throw Error(ErrorKind::unsupported, "root directory of the store does not tell upper case from lower case", {},
                "Use a directory of a case-sensitive file system.");
  }
}

Descriptor open_staging(const Root& root, std::string_view key) {
  const std::string name(kStagingDirectory);
  Descriptor staging = root.open_directory(name);
  if (!staging && errno == ENOENT) {
    if (mkdirat(root.fd(), name.c_str(), 0777) != 0 && errno != EEXIST) {
      throw failure(errno, "could not write object", key);
    }
    staging = root.open_directory(name);
  }
  if (!staging) throw failure(errno, "could not write object", key);
  check_case_sensitive(root.fd(), staging.get());
  return staging;
}

[[noreturn]] void throw_not_renamed(int error_number, const std::string& key) {
  if (error_number == EISDIR || error_number == ENOTEMPTY || error_number == EEXIST) {
    throw Error(ErrorKind::precondition_failed, "object \"" + key + "\" cannot be stored under this key",
                "There are objects whose keys begin with \"" + key + "/\".",
                "A local store cannot hold both an object and objects below it; choose another key.");
  }
  throw failure(error_number, "could not rename the new file of object", key);
}

}  // namespace

StagedFile::StagedFile(const Root& root, Random& random, std::string_view key)
    : root_(root), key_(key), staging_(open_staging(root, key)) {
  for (;;) {
    std::array<char, 40> name{};
    std::snprintf(name.data(), name.size(), "%016llx", static_cast<unsigned long long>(random.bits()));
    name_ = name.data();
    file_ = Descriptor(openat(staging_.get(), name_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode));
    if (file_) return;
    if (errno != EEXIST && errno != EINTR) throw failure(errno, "could not write object", key);
  }
}

StagedFile::~StagedFile() {
  if (!published_ && file_) unlinkat(staging_.get(), name_.c_str(), 0);
}

void StagedFile::write(BytesView data) {
  while (!data.empty()) {
    const ssize_t written = ::write(file_.get(), data.data(), std::min(data.size(), kCopyPiece));
    if (written >= 0) {
      data.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      throw failure(errno, "could not write object", key_);
    }
  }
}

void StagedFile::copy_from(int source, std::uint64_t size) {
  if (ioctl(file_.get(), FICLONE, source) == 0) return;
  bool in_kernel = true;
  std::string buffer;
  for (std::uint64_t done = 0; done < size;) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(size - done, kCopyPiece));
    if (in_kernel) {
      const ssize_t copied = copy_file_range(source, nullptr, file_.get(), nullptr, piece, 0);
      if (copied > 0) {
        done += static_cast<std::uint64_t>(copied);
        continue;
      }
      if (copied < 0 && errno == EINTR) continue;
      if (copied < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)) {
        throw failure(errno, "could not write object", key_);
      }
      in_kernel = false;  // other file systems, or one that cannot; both file offsets are where they were
    }
    buffer.resize(piece);
    const ssize_t got = ::read(source, buffer.data(), piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw failure(errno, "could not read the source of object", key_);
    if (got == 0) {
      throw Error(ErrorKind::interrupted, "source of object \"" + key_ + "\" shrank while it was copied");
    }
    write(BytesView(buffer.data(), static_cast<std::size_t>(got)));
    done += static_cast<std::uint64_t>(got);
  }
}

void StagedFile::publish() {
  if (const int error_number = sync(file_.get()); error_number != 0) {
    throw failure(error_number, "could not fsync object", key_);
  }
  const SplitKey target = split(key_);
  for (int attempt = 0; attempt < kPublishAttempts; ++attempt) {
    const Descriptor parent = root_.make_directory(target.parent, key_);
    if (!parent) continue;  // removed as empty by somebody else, at the same moment
    if (renameat(staging_.get(), name_.c_str(), parent.get(), target.name.c_str()) != 0) {
      const int error_number = errno;
      if (error_number == ENOENT) {
        // Either the directory went away under us, or the staged file did (a day later, or by hand).
        struct stat status {};
        if (fstatat(staging_.get(), name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) continue;
        throw Error(ErrorKind::interrupted, "unfinished file of object \"" + key_ + "\" was removed by somebody else");
      }
      // A directory left empty is no object; it must not block the key.
      if (error_number == EISDIR && unlinkat(parent.get(), target.name.c_str(), AT_REMOVEDIR) == 0) continue;
      throw_not_renamed(error_number, key_);
    }
    published_ = true;
    if (const int error_number = sync(parent.get()); error_number != 0) {
      throw failure(error_number, "could not fsync the directory of object", key_);
    }
    return;
  }
  throw Error(ErrorKind::throttled, "directory of object \"" + key_ + "\" is being removed again and again");
}

// Calls visit(name, status) for each regular file; inside, `staging` is its directory.
template <class Visit>
void for_each_staged(const Descriptor& staging, Visit&& visit) {
  if (!staging) return;
  const int listing = dup(staging.get());
  std::unique_ptr<DIR, int (*)(DIR*)> const directory(fdopendir(listing), closedir);
  if (!directory) {
    ::close(listing);
    return;
  }
  rewinddir(directory.get());
  while (const dirent* entry = readdir(directory.get())) {
    struct stat status {};
    if (fstatat(staging.get(), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) continue;
    visit(entry->d_name, status);
  }
}

std::vector<ObjectInfo> staged_files(const Root& root) {
  const Descriptor staging = root.open_directory(std::string(kStagingDirectory));
  std::vector<ObjectInfo> files;
  for_each_staged(staging, [&](const char* name, const struct stat& status) { files.push_back(describe(status, name)); });
  return files;
}

void remove_stale_files(const Root& root, TimePoint now) {
  const Descriptor staging = root.open_directory(std::string(kStagingDirectory));
  const auto oldest = std::chrono::duration_cast<std::chrono::seconds>((now - kStaleAfter).time_since_epoch()).count();
  for_each_staged(staging, [&](const char* name, const struct stat& status) {
    if (status.st_mtim.tv_sec < oldest) unlinkat(staging.get(), name, 0);
  });
}

}  // namespace audiostore::store::local
