// What every reader does with a header's claims and a decoder's samples before anybody relies on them.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <string_view>

#include "audio/sound_file.hpp"

namespace audiostore::audio {

namespace {

// 2^53 frames are 1,500 years at 192 kHz; beyond that a double no longer counts frames.
constexpr std::uint64_t kMostFrames = std::uint64_t{1} << 53;

// Length of the UTF-8 character that starts here, 0 where there is none.
std::size_t character_length(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : (first >= 0xE0 ? 3 : 2);
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return 0;
  const auto second = static_cast<unsigned char>(text[1]);  // over-long forms, surrogates, beyond U+10FFFF
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) return 0;
  if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
  return length;
}

// One character appended as UTF-8; what is no UTF-8 is read as Latin-1, as old tags are written.
std::size_t append_character(std::string& out, std::string_view text) {
  const std::size_t length = character_length(text);
  const auto first = static_cast<unsigned char>(text.front());
  if (length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0) {
    out += ' ';  // control characters beyond ASCII
  } else if (length > 1) {
    out.append(text.substr(0, length));
  } else if (length == 1) {
    out += first < 0x20 || first == 0x7F ? ' ' : static_cast<char>(first);
  } else if (first >= 0xA0) {
    out += static_cast<char>(0xC0 | (first >> 6));
    out += static_cast<char>(0x80 | (first & 0x3F));
  } else {
    out += '?';
  }
  return length == 0 ? 1 : length;
}

}  // namespace

void set_tag(wire::Info& info, wire::Tag tag, const char* text) {
  auto& field = info.tags[static_cast<std::size_t>(tag)];
  field.fill('\0');
  if (text == nullptr) return;
  std::string_view rest(text, ::strnlen(text, std::size_t{4} * wire::kTagBytes));
  std::string clean;
  while (!rest.empty()) {
    const std::size_t before = clean.size();
    rest.remove_prefix(append_character(clean, rest));
    if (clean.size() < wire::kTagBytes) continue;
    clean.resize(before);
    break;
  }
  while (!clean.empty() && clean.back() == ' ') clean.pop_back();
  std::copy(clean.begin(), clean.end(), field.begin());
}

void check_plausible(const wire::Info& info) {
  if (info.channels < 1 || info.channels > wire::kMostChannels)
    throw damaged("the header says " + std::to_string(info.channels) + " channels");
  if (info.sample_rate < wire::kLeastSampleRate || info.sample_rate > wire::kMostSampleRate)
    throw damaged("the header says a sample rate of " + std::to_string(info.sample_rate) + " Hz");
  if (info.frames > kMostFrames) throw damaged("the header says " + std::to_string(info.frames) + " frames");
}

std::int32_t average_bitrate(std::uint64_t bytes, double seconds) {
  if (!(seconds > 0)) return 0;
  const double rate = std::round(static_cast<double>(bytes) * 8 / seconds);
  return rate < 2147483647.0 ? static_cast<std::int32_t>(rate) : 0;
}

}  // namespace audiostore::audio
