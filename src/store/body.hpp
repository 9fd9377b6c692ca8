// What a put sends: bytes in memory, or a file that is read piece by piece, so that memory stays flat.
#pragma once

#include <concepts>
#include <cstdint>

#include "base/bytes.hpp"

namespace audiostore::store {

class Body {
 public:
  template <std::convertible_to<BytesView> View>
  Body(const View& bytes) : bytes_(bytes), size_(bytes_.size()) {}  // NOLINT(google-explicit-constructor)
  // Of an open file; both stay the caller's until the put is done.
  Body(int descriptor, std::uint64_t size) : descriptor_(descriptor), size_(size) {}

  std::uint64_t size() const noexcept { return size_; }
  int descriptor() const noexcept { return descriptor_; }  // -1: in memory

  // [offset, offset + length), as it lies in memory or else in buffer. Throws Error(interrupted) when the file has
  // become shorter.
  BytesView read(std::uint64_t offset, std::uint64_t length, Bytes& buffer) const;

 private:
  BytesView bytes_;
  int descriptor_ = -1;
  std::uint64_t size_;
};

}  // namespace audiostore::store
