#include "audio/mpeg_frame.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

namespace audiostore::audio {

namespace {

// kbit/s by index, MPEG-1 layers I to III, then MPEG-2 layer I and layers II and III together.
constexpr std::array<std::array<int, 15>, 5> kBitrates = {{
    {0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
    {0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
    {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
    {0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
    {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
}};
constexpr std::array<int, 3> kSampleRates = {44100, 48000, 32000};
constexpr std::size_t kSearch = 8192;

unsigned byte(std::span<const char> bytes, std::size_t i) { return static_cast<unsigned char>(bytes[i]); }

std::uint32_t frame_bytes(int layer, bool mpeg1, int bitrate, int sample_rate, unsigned padding) {
  if (layer == 1) return static_cast<std::uint32_t>(12 * bitrate * 1000 / sample_rate + static_cast<int>(padding)) * 4;
  const int slots = layer == 3 && !mpeg1 ? 72 : 144;
  return static_cast<std::uint32_t>(slots * bitrate * 1000 / sample_rate) + padding;
}

}  // namespace

std::optional<MpegFrame> parse_mpeg_frame(std::span<const char> bytes) {
  if (bytes.size() < kMpegHeaderBytes || byte(bytes, 0) != 0xFF || (byte(bytes, 1) & 0xE0) != 0xE0) return {};
  const unsigned version = (byte(bytes, 1) >> 3) & 3;  // 0: 2.5, 2: 2, 3: 1
  const unsigned layer_code = (byte(bytes, 1) >> 1) & 3;
  const unsigned bitrate_index = byte(bytes, 2) >> 4;
  const unsigned rate_index = (byte(bytes, 2) >> 2) & 3;
  if (version == 1 || layer_code == 0 || bitrate_index == 0 || bitrate_index == 15 || rate_index == 3) return {};
  const bool mpeg1 = version == 3;
  const int layer = 4 - static_cast<int>(layer_code);
  const std::size_t table = mpeg1 ? static_cast<std::size_t>(layer - 1) : (layer == 1 ? 3U : 4U);
  const bool mono = (byte(bytes, 3) >> 6) == 3;

  MpegFrame frame;
  frame.layer = layer;
  frame.channels = mono ? 1 : 2;
  frame.sample_rate = kSampleRates[rate_index] >> (mpeg1 ? 0 : (version == 2 ? 1 : 2));
  frame.samples = layer == 1 ? 384 : (layer == 3 && !mpeg1 ? 576 : 1152);
  frame.bytes =
      frame_bytes(layer, mpeg1, kBitrates[table][bitrate_index], frame.sample_rate, (byte(bytes, 2) >> 1) & 1);
  frame.side_information = mpeg1 ? (mono ? 17 : 32) : (mono ? 9 : 17);
  return frame;
}

std::uint64_t id3_size(const Input& input) {
  std::uint64_t offset = 0;
  for (int tags = 0; tags < 4; ++tags) {
    std::array<char, 10> head{};
    if (input.read_at(offset, head) < head.size() || std::string_view(head.data(), 3) != "ID3") break;
    std::uint64_t size = 0;  // four bytes of seven bits
    for (std::size_t i = 6; i < 10; ++i) size = size << 7 | (byte(head, i) & 0x7F);
    const bool footer = (byte(head, 5) & 0x10) != 0;
    offset += head.size() + size + (footer ? 10 : 0);
  }
  return offset;
}

std::optional<std::uint64_t> find_mpeg_frame(const Input& input, std::uint64_t offset) {
  std::array<char, kSearch> buffer{};
  const std::span<const char> bytes(buffer.data(), input.read_at(offset, buffer));
  for (std::size_t i = 0; i + kMpegHeaderBytes <= bytes.size(); ++i) {
    const auto frame = parse_mpeg_frame(bytes.subspan(i));
    if (!frame) continue;
    std::array<char, kMpegHeaderBytes> next{};
    const std::uint64_t behind = offset + i + frame->bytes;
    if (behind == input.size()) return offset + i;  // a single frame is a file too
    if (input.read_at(behind, next) < next.size()) continue;
    const auto second = parse_mpeg_frame(next);
    if (second && second->layer == frame->layer && second->sample_rate == frame->sample_rate) return offset + i;
  }
  return {};
}

bool announces_length(const Input& input, std::uint64_t first_frame) {
  std::array<char, 64> buffer{};
  const std::size_t got = input.read_at(first_frame, buffer);
  const auto frame = parse_mpeg_frame(std::span<const char>(buffer.data(), got));
  if (!frame || got < buffer.size()) return false;
  const std::string_view text(buffer.data(), buffer.size());
  const std::string_view xing = text.substr(kMpegHeaderBytes + frame->side_information, 8);
  constexpr char kHasFrames = 1;
  if (xing.starts_with("Xing") || xing.starts_with("Info")) return (xing[7] & kHasFrames) != 0;
  return text.substr(kMpegHeaderBytes + 32, 4) == "VBRI";
}

std::uint64_t count_mpeg_samples(const Input& input, std::uint64_t first_frame) {
  std::vector<char> buffer(1 << 16);
  std::uint64_t samples = 0;
  std::uint64_t offset = first_frame;
  std::uint64_t start = 0;
  std::size_t filled = 0;
  while (offset + kMpegHeaderBytes <= input.size()) {
    if (offset < start || offset + kMpegHeaderBytes > start + filled) {
      start = offset;
      filled = input.read_at(offset, buffer);
      if (filled < kMpegHeaderBytes) break;
    }
    const auto frame = parse_mpeg_frame(std::span<const char>(buffer).subspan(offset - start, kMpegHeaderBytes));
    if (frame && offset + frame->bytes > input.size()) break;  // cut off in the middle
    if (frame) samples += frame->samples;
    offset += frame ? frame->bytes : 1;
  }
  return samples;
}

}  // namespace audiostore::audio
