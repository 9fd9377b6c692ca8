// A bytea that grows piece by piece, so that an object of several hundred megabytes is in memory once, not twice.
#pragma once

#include "pg/guard.hpp"

namespace audiostore::objects {

class Buffer {
 public:
  // Throws Error(too_large) once there would be more than `most` bytes.
  explicit Buffer(std::uint64_t most);

  void append(std::string_view piece);

  // The value, in the memory context that was current when the buffer was made.
  Datum bytea();

 private:
  std::uint64_t most_;
  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace audiostore::objects
