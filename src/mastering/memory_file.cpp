#include "mastering/memory_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace audiostore::mastering {
namespace {

// Between two looks at pending cancels.
constexpr std::size_t kPiece = std::size_t{8} << 20;

[[noreturn]] void throw_failed(const char* what) {
  int const error = errno;
  throw pg::SqlError(error == ENOSPC || error == ENOMEM ? ERRCODE_OUT_OF_MEMORY : ERRCODE_SYSTEM_ERROR,
                     std::string("could not ") + what + " memory for audio",
                     std::error_code(error, std::generic_category()).message() + ".");
}

}  // namespace

MemoryFile::MemoryFile() : fd_(memfd_create("audiostore", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
  if (fd_ < 0) throw_failed("get");
}

MemoryFile::~MemoryFile() { close(fd_); }

void MemoryFile::write(std::uint64_t offset, std::string_view bytes) const {
  while (!bytes.empty()) {
    pg::check_interrupts();
    ssize_t const written = pwrite(fd_, bytes.data(), std::min(bytes.size(), kPiece), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw_failed("get");
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
}

void MemoryFile::resize(std::uint64_t size) const {
  if (ftruncate(fd_, static_cast<off_t>(size)) != 0) throw_failed("get");
}

void MemoryFile::seal() const {
  if (fcntl(fd_, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) throw_failed("protect");
}

void MemoryFile::read(std::uint64_t offset, char* target, std::size_t size) const {
  while (size > 0) {
    pg::check_interrupts();
    ssize_t const got = pread(fd_, target, std::min(size, kPiece), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_failed("read");
    if (got == 0) throw Error(ErrorKind::decoder_died, "the audio decoder took back what it had written");
    target += got;
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::size_t>(got);
  }
}

Datum MemoryFile::bytea(std::uint64_t size) const {
  auto* const value = static_cast<struct varlena*>(pg::call([&] { return palloc(size + VARHDRSZ); }));
  SET_VARSIZE(value, static_cast<Size>(size + VARHDRSZ));
  read(0, VARDATA(value), size);
  return PointerGetDatum(value);
}

}  // namespace audiostore::mastering
