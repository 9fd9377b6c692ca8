#include "base/spool.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace audiostore {
namespace {

Error failed(const char* what) {
  const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
  return {full ? ErrorKind::store_full : ErrorKind::internal, std::string("could not ") + what + " a temporary file",
          std::strerror(errno), "Check the free space of the directory for temporary files."};
}

int open_in(const std::string& directory) {
  if (const int fd = open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); fd >= 0) return fd;
  std::string name = directory + "/pgsql_tmp_audiostore_XXXXXX";
  const int fd = mkostemp(name.data(), O_CLOEXEC);
  if (fd >= 0) unlink(name.c_str());
  return fd;
}

}  // namespace

Spool::Spool(const std::string& directory) : fd_(open_in(directory)) {
  if (fd_ < 0) {
    const char* elsewhere = std::getenv("TMPDIR");
    fd_ = open_in(elsewhere != nullptr ? elsewhere : "/tmp");
  }
  if (fd_ < 0) throw failed("create");
}

Spool::~Spool() {
  if (fd_ >= 0) close(fd_);
}

Spool::Spool(Spool&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Spool& Spool::operator=(Spool&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

void Spool::append(BytesView piece) {  // NOLINT(readability-make-member-function-const)
  while (!piece.empty()) {
    const ssize_t written = write(fd_, piece.data(), piece.size());
    if (written >= 0) {
      piece.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      throw failed("write to");
    }
  }
}

void Spool::rewind() const { lseek(fd_, 0, SEEK_SET); }

std::uint64_t Spool::size() const {
  struct stat status {};
  if (fstat(fd_, &status) != 0) throw failed("look at");
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace audiostore
