// Bytes behind libsndfile's callbacks: an Input to read, or a descriptor to write from its current position. What would
// surprise you: nothing may be thrown through the library's C frames, so a failure is kept here until rethrow().
#pragma once

#include <sndfile.h>

#include <cstdint>
#include <exception>
#include <memory>

#include "audio/source.hpp"

namespace audiostore::audio {

struct CloseSoundFile {
  void operator()(SNDFILE* file) const { sf_close(file); }
};
using SoundFileHandle = std::unique_ptr<SNDFILE, CloseSoundFile>;

class VirtualInput {
 public:
  explicit VirtualInput(const Input& input) : input_(input) {}
  static SF_VIRTUAL_IO callbacks();
  void rethrow();
  const Input& input() const { return input_; }

 private:
  sf_count_t read(void* buffer, sf_count_t bytes) noexcept;
  sf_count_t seek(sf_count_t offset, int whence) noexcept;

  Input input_;
  std::uint64_t position_ = 0;
  std::exception_ptr failure_;
};

class VirtualOutput {
 public:
  // Throws where the descriptor cannot seek: encoders go back to write sizes into headers.
  VirtualOutput(int descriptor, std::uint64_t max_bytes);
  static SF_VIRTUAL_IO callbacks();
  void rethrow();
  std::uint64_t size() const { return size_; }
  std::uint64_t origin() const { return origin_; }

 private:
  sf_count_t read(void* buffer, sf_count_t bytes) noexcept;
  sf_count_t write(const void* buffer, sf_count_t bytes) noexcept;
  sf_count_t seek(sf_count_t offset, int whence) noexcept;

  int descriptor_;
  std::uint64_t origin_ = 0;
  std::uint64_t max_bytes_;
  std::uint64_t size_ = 0;
  std::uint64_t position_ = 0;
  std::exception_ptr failure_;
};

}  // namespace audiostore::audio
