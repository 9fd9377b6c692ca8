// Audio as the operations read it: interleaved float frames from a container, and the bytes below. What would surprise
// you: an Input may be a window, the head and the tail of something larger; whoever reads between them learns it by an
// exception, and the whole request is repeated with all bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "audio/failure.hpp"
#include "audio/wire.hpp"

namespace audiostore::audio {

class NeedsWholeInput : public Failure {
 public:
  NeedsWholeInput() : Failure(wire::Status::needs_whole_input, "the beginning and the end are not enough") {}
};

// The bytes of the input, read at offsets. Throws NeedsWholeInput when a range outside the window is asked for.
class Input {
 public:
  // origin: where in the file behind the descriptor the first byte is.
  Input(int descriptor, const wire::Input& shape, std::uint64_t origin = 0)
      : descriptor_(descriptor), shape_(shape), origin_(origin) {}
  std::uint64_t size() const { return shape_.size; }
  bool whole() const { return shape_.head >= shape_.size || shape_.tail >= shape_.size - shape_.head; }
  // Bytes read; fewer than asked for only at the end.
  std::size_t read_at(std::uint64_t offset, std::span<char> buffer) const;

 private:
  int descriptor_;
  wire::Input shape_;
  std::uint64_t origin_;
};

// Samples are finite and within +-kMostAmplitude, whatever a float file holds.
constexpr float kMostAmplitude = 1e6F;

class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;
  virtual const wire::Info& info() const = 0;
  // Frames read into interleaved (whole frames only); 0 at the end.
  virtual std::size_t read(std::span<float> interleaved) = 0;
  virtual void seek(std::uint64_t frame) = 0;
};

}  // namespace audiostore::audio
