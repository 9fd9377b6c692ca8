#include "audio/virtual_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>

namespace audiostore::audio {

namespace {

std::optional<std::uint64_t> moved(std::uint64_t position, std::uint64_t size, sf_count_t offset, int whence) {
  std::int64_t base = 0;
  if (whence == SEEK_CUR) base = static_cast<std::int64_t>(position);
  if (whence == SEEK_END) base = static_cast<std::int64_t>(size);
  std::int64_t target = 0;
  if (__builtin_add_overflow(base, offset, &target) || target < 0) return {};
  return static_cast<std::uint64_t>(target);
}

// Puts a failure away instead of letting it out: the caller is C.
template <typename Action>
sf_count_t keep_failure(std::exception_ptr& failure, Action action) noexcept {
  try {
    if (failure == nullptr) return action();
  } catch (...) {
    failure = std::current_exception();
  }
  return 0;
}

void rethrow_kept(std::exception_ptr& failure) {
  if (failure != nullptr) std::rethrow_exception(std::exchange(failure, nullptr));
}

}  // namespace

SF_VIRTUAL_IO VirtualInput::callbacks() {
  SF_VIRTUAL_IO io{};
  io.get_filelen = [](void* self) { return static_cast<sf_count_t>(static_cast<VirtualInput*>(self)->input_.size()); };
  io.seek = [](sf_count_t offset, int whence, void* self) {
    return static_cast<VirtualInput*>(self)->seek(offset, whence);
  };
  io.read = [](void* buffer, sf_count_t bytes, void* self) {
    return static_cast<VirtualInput*>(self)->read(buffer, bytes);
  };
  io.write = [](const void*, sf_count_t, void*) -> sf_count_t { return 0; };
  io.tell = [](void* self) { return static_cast<sf_count_t>(static_cast<VirtualInput*>(self)->position_); };
  return io;
}

sf_count_t VirtualInput::read(void* buffer, sf_count_t bytes) noexcept {
  return keep_failure(failure_, [&]() -> sf_count_t {
    if (bytes <= 0) return 0;
    const std::size_t got =
        input_.read_at(position_, std::span(static_cast<char*>(buffer), static_cast<std::size_t>(bytes)));
    position_ += got;
    return static_cast<sf_count_t>(got);
  });
}

sf_count_t VirtualInput::seek(sf_count_t offset, int whence) noexcept {
  const auto target = moved(position_, input_.size(), offset, whence);
  if (!target) return -1;
  position_ = *target;
  return static_cast<sf_count_t>(position_);
}

void VirtualInput::rethrow() { rethrow_kept(failure_); }

VirtualOutput::VirtualOutput(int descriptor, std::uint64_t max_bytes) : descriptor_(descriptor), max_bytes_(max_bytes) {
  const off_t here = ::lseek(descriptor, 0, SEEK_CUR);
  if (here < 0) throw Failure(wire::Status::failed, "the output cannot be written at offsets", std::strerror(errno));
  origin_ = static_cast<std::uint64_t>(here);
}

SF_VIRTUAL_IO VirtualOutput::callbacks() {
  SF_VIRTUAL_IO io{};
  io.get_filelen = [](void* self) { return static_cast<sf_count_t>(static_cast<VirtualOutput*>(self)->size_); };
  io.seek = [](sf_count_t offset, int whence, void* self) {
    return static_cast<VirtualOutput*>(self)->seek(offset, whence);
  };
  io.read = [](void* buffer, sf_count_t bytes, void* self) {
    return static_cast<VirtualOutput*>(self)->read(buffer, bytes);
  };
  io.write = [](const void* buffer, sf_count_t bytes, void* self) {
    return static_cast<VirtualOutput*>(self)->write(buffer, bytes);
  };
  io.tell = [](void* self) { return static_cast<sf_count_t>(static_cast<VirtualOutput*>(self)->position_); };
  return io;
}

sf_count_t VirtualOutput::read(void* buffer, sf_count_t bytes) noexcept {
  const ssize_t got =
      ::pread(descriptor_, buffer, static_cast<std::size_t>(bytes), static_cast<off_t>(origin_ + position_));
  if (got <= 0) return 0;
  position_ += static_cast<std::uint64_t>(got);
  return got;
}

sf_count_t VirtualOutput::write(const void* buffer, sf_count_t bytes) noexcept {
  return keep_failure(failure_, [&]() -> sf_count_t {
    const auto wanted = static_cast<std::uint64_t>(bytes);
    if (position_ > max_bytes_ || wanted > max_bytes_ - position_)
      throw Failure(wire::Status::too_large, "result is too large",
                    "it would pass " + std::to_string(max_bytes_) + " bytes");
    std::uint64_t done = 0;
    while (done < wanted) {
      const ssize_t put = ::pwrite(descriptor_, static_cast<const char*>(buffer) + done, wanted - done,
                                   static_cast<off_t>(origin_ + position_ + done));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) throw Failure(wire::Status::failed, "could not write the output", std::strerror(errno));
      done += static_cast<std::uint64_t>(put);
    }
    position_ += wanted;
    size_ = std::max(size_, position_);
    return bytes;
  });
}

sf_count_t VirtualOutput::seek(sf_count_t offset, int whence) noexcept {
  const auto target = moved(position_, size_, offset, whence);
  if (!target) return -1;
  position_ = *target;
  return static_cast<sf_count_t>(position_);
}

void VirtualOutput::rethrow() { rethrow_kept(failure_); }

}  // namespace audiostore::audio
