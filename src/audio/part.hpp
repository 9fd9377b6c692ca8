// Some frames of a source, as a source.
#pragma once

#include <cstdint>

#include "audio/operations.hpp"

namespace audiostore::audio {

class Part final : public Source {
 public:
  Part(Source& inner, std::uint64_t first, std::uint64_t frames);
  const wire::Info& info() const override { return info_; }
  std::size_t read(std::span<float> interleaved) override;
  void seek(std::uint64_t frame) override;

 private:
  Source& inner_;
  wire::Info info_;
  std::uint64_t first_;
  std::uint64_t position_ = 0;
};

// Encodes the part as the request says.
void write_part(Part& part, const Job& job, wire::Reply& reply);

}  // namespace audiostore::audio
