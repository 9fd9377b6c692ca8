// An unlinked temporary file: memory stays flat however large the object is that passes through, and nothing is left
// when the process dies. What would surprise you: whoever else has the descriptor (the decoder) may write and cut
// the file at any time, so it is read with pread and never mapped.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.hpp"

namespace audiostore {

class Spool {
 public:
  // In this directory, or in the system's temporary one where it cannot be made there.
  explicit Spool(const std::string& directory);
  ~Spool();
  Spool(Spool&& other) noexcept;
  Spool& operator=(Spool&& other) noexcept;
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  void append(BytesView piece);  // NOLINT(readability-make-member-function-const): it changes the file
  void rewind() const;           // the descriptor's position, which others may share
  int fd() const noexcept { return fd_; }
  std::uint64_t size() const;

 private:
  int fd_ = -1;
};

}  // namespace audiostore
