// MPEG audio frame headers (ISO/IEC 11172-3, 13818-3): enough to recognise MP3 and to know its length without decoding.
// What would surprise you: the length of an MP3 without a Xing or VBRI header is nowhere in the file; every frame has
// to be walked over.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "audio/source.hpp"

namespace audiostore::audio {

struct MpegFrame {
  int layer = 0;  // 1 to 3
  int sample_rate = 0;
  int channels = 0;
  std::uint32_t samples = 0;  // per channel
  std::uint32_t bytes = 0;    // with the header
  std::uint32_t side_information = 0;
};

constexpr std::size_t kMpegHeaderBytes = 4;

// Empty where these four bytes are no header, or one of the free format, which nobody uses.
std::optional<MpegFrame> parse_mpeg_frame(std::span<const char> bytes);

// Size of the ID3v2 tags at the start, 0 without any.
std::uint64_t id3_size(const Input& input);

// Where the first frame is that another one follows, within a few kilobytes after offset.
std::optional<std::uint64_t> find_mpeg_frame(const Input& input, std::uint64_t offset);

// True where the first frame announces the number of frames (Xing, Info, VBRI).
bool announces_length(const Input& input, std::uint64_t first_frame);

// Frames of audio per channel, counted over all headers from first_frame on.
std::uint64_t count_mpeg_samples(const Input& input, std::uint64_t first_frame);

}  // namespace audiostore::audio
