// Audio as the operations read it: interleaved float frames from a container, and the bytes below.
#pragma once

#include <cstdint>
#include <span>

#include "audio/wire.hpp"

namespace audiostore::audio {

// The bytes of the input, read at offsets. Throws NeedsWholeInput when a range outside the window is asked for.
class Input {
 public:
  Input(int descriptor, const wire::Input& shape) : descriptor_(descriptor), shape_(shape) {}
  std::uint64_t size() const { return shape_.size; }
  // Bytes read; fewer than asked for only at the end.
  std::size_t read_at(std::uint64_t offset, std::span<char> buffer) const;

 private:
  int descriptor_;
  wire::Input shape_;
};

class Source {
 public:
  virtual ~Source() = default;
  virtual const wire::Info& info() const = 0;
  // Frames read into interleaved (whole frames only); 0 at the end.
  virtual std::size_t read(std::span<float> interleaved) = 0;
  virtual void seek(std::uint64_t frame) = 0;
};

}  // namespace audiostore::audio
