// Writes audio in one of the five output formats. What would surprise you: write() changes the samples it is given to
// those that a reader of a lossless result will see, so that whoever measures them measures the result.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "audio/virtual_file.hpp"
#include "audio/wire.hpp"

namespace audiostore::audio {

struct Target {
  wire::Format format = wire::Format::wav;  // never keep
  int sample_rate = 0;
  int channels = 0;
  int bit_depth = 0;                  // 16 or 24; lossless formats only
  bool dither = false;                // samples do not lie on the steps of bit_depth
  std::int32_t bitrate_kbps = 0;      // 0: the encoder's default
  std::uint64_t expected_frames = 0;  // decides between WAV and RF64
  std::uint64_t max_bytes = 0;
  const wire::Info* tags = nullptr;  // copied to the result where given
};

bool lossless(wire::Format format);

// The format that `keep` means for this audio: its codec's where it can be written, else WAV.
wire::Format kept_format(const wire::Info& source);

// 16 or 24 for audio like this in a lossless format.
int kept_bit_depth(const wire::Info& source);

// The nearest rate that the format can carry, not below the one given where there is one.
int carried_sample_rate(wire::Format format, int sample_rate);

class Encoder {
 public:
  // Throws Failure (invalid_argument) where the format does not carry these channels or this rate.
  Encoder(int descriptor, const Target& target);

  void write(std::span<float> interleaved);
  void finish();

  // After finish().
  wire::Info info() const;
  std::uint64_t size() const { return bytes_.size(); }
  std::uint64_t origin() const { return bytes_.origin(); }

 private:
  void set_tags(const wire::Info& tags);
  void set_bitrate();

  Target target_;
  VirtualOutput bytes_;
  bool large_;  // RF64
  std::vector<int> steps_;
  std::uint64_t frames_ = 0;
  SoundFileHandle file_;
};

}  // namespace audiostore::audio
