// Bytes in an unnamed file in memory (memfd): how audio gets into the decoder's process and out of it. What would
// surprise you: it outlives an error only as long as its C++ frame, which the guard unwinds; FATAL closes it with the
// process.
#pragma once

#include <string_view>

#include "pg/datum.hpp"

namespace audiostore::mastering {

class MemoryFile {
 public:
  MemoryFile();
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  int fd() const { return fd_; }
  void write(std::uint64_t offset, std::string_view bytes) const;
  void resize(std::uint64_t size) const;
  // Nobody writes to it from now on.
  void seal() const;
  // Exactly so many bytes into memory; throws where there are fewer, whatever somebody said about them.
  void read(std::uint64_t offset, char* target, std::size_t size) const;
  // All of it; size is what the decoder said, and checked again.
  Datum bytea(std::uint64_t size) const;

 private:
  int fd_;
};

}  // namespace audiostore::mastering
