#include "store/safe_name.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/encoding.hpp"
#include "base/hash.hpp"

namespace audiostore::store {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

constexpr Range kSpaces[] = {{0x00, 0x20},     {0x7F, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                             {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
// Format characters: soft hyphen, joiners, marks and overrides of direction, byte order mark, tags; and noncharacters.
constexpr Range kInvisible[] = {{0xAD, 0xAD},     {0x61C, 0x61C},   {0x180E, 0x180E},   {0x200B, 0x200F},
                                {0x202A, 0x202E}, {0x2060, 0x206F}, {0xFDD0, 0xFDEF},   {0xFEFF, 0xFEFF},
                                {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0xE0000, 0xE0FFF}, {0xFFFFE, 0xFFFFF}};
constexpr Range kCombining[] = {{0x300, 0x36F},   {0x483, 0x489},   {0x591, 0x5BD},   {0x610, 0x61A},
                                {0x64B, 0x65F},   {0x93C, 0x94D},   {0xE31, 0xE3A},   {0xE47, 0xE4E},
                                {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x20D0, 0x20FF}, {0x302A, 0x302F},
                                {0x3099, 0x309A}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}};
// Letters that have no decomposition.
constexpr std::pair<char32_t, std::string_view> kLatin[] = {
    {U'đ', "d"},  {U'Đ', "D"},  {U'ð', "d"},  {U'Ð', "D"},  {U'ø', "o"},  {U'Ø', "O"},  {U'ł', "l"},
    {U'Ł', "L"},  {U'ħ', "h"},  {U'Ħ', "H"},  {U'ŧ', "t"},  {U'Ŧ', "T"},  {U'ı', "i"},  {U'ŋ', "n"},
    {U'Ŋ', "N"},  {U'æ', "ae"}, {U'Æ', "AE"}, {U'œ', "oe"}, {U'Œ', "OE"}, {U'ß', "ss"}, {U'ẞ', "SS"},
    {U'þ', "th"}, {U'Þ', "Th"}, {U'’', "'"},  {U'‘', "'"},  {U'–', "-"},  {U'—', "-"},  {U'‐', "-"}};

bool among(std::span<const Range> ranges, char32_t c) {
  return std::any_of(ranges.begin(), ranges.end(), [c](Range range) { return c >= range.first && c <= range.last; });
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Takes one character off the front; its octets are empty where they are no UTF-8, and one octet is gone then.
std::string_view take(std::string_view& rest, char32_t& c) {
  auto const lead = static_cast<unsigned char>(rest.front());
  std::size_t const length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  std::string_view const octets = rest.substr(0, length);
  if (octets.size() < length || !is_utf8(octets)) {
    rest.remove_prefix(1);
    return {};
  }
  c = lead < 0x80 ? lead : lead & (0x7FU >> length);
  for (char const next : octets.substr(1)) c = (c << 6) | (static_cast<unsigned char>(next) & 0x3F);
  rest.remove_prefix(length);
  return octets;
}

// Collects a name: runs of what cannot stay are one _, and none at the ends.
class Name {
 public:
  void add(std::string_view octets) {
    if (octets == "_" && gap_) return;
    if (gap_ && !text_.empty() && text_.back() != '_') text_ += '_';
    gap_ = false;
    text_ += octets;
  }
  void gap() { gap_ = true; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  bool gap_ = false;
};

bool refused(char32_t c) {
  return among(kSpaces, c) ||
         (c < 0x80 && std::string_view("/\\:*?\"<>|").find(static_cast<char>(c)) != std::string_view::npos);
}

// What S3 calls safe in keys, and Supabase takes.
bool plain(char32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c < 0x80 && std::string_view("-_.!'()").find(static_cast<char>(c)) != std::string_view::npos);
}

}  // namespace

std::string safe_name(std::string_view text) {
  Name name;
  for (char32_t c = 0; !text.empty();) {
    std::string_view const octets = take(text, c);
    if (octets.empty() || among(kInvisible, c)) continue;
    if (refused(c)) {
      name.gap();
    } else {
      name.add(octets);
    }
  }
  return name.take();
}

std::string safe_ascii(std::string_view decomposed) {
  Name name;
  for (char32_t c = 0; !decomposed.empty();) {
    std::string_view const octets = take(decomposed, c);
    if (octets.empty() || among(kInvisible, c) || among(kCombining, c)) continue;
    auto const* const latin =
        std::find_if(std::begin(kLatin), std::end(kLatin), [c](auto const& entry) { return entry.first == c; });
    if (latin != std::end(kLatin)) {
      name.add(latin->second);
    } else if (plain(c)) {
      name.add(octets);
    } else {
      name.gap();
    }
  }
  return name.take();
}

std::string cut_name(const std::string& name, std::size_t limit) {
  constexpr std::size_t kHashDigits = 8;
  if (name.size() <= limit) return name;
  std::size_t end = limit - kHashDigits - 1;
  // Back to the start of a character that is not a mark on the one before.
  for (; end > 0; end--) {
    if (continues(name[end])) continue;
    std::string_view rest = std::string_view(name).substr(end);
    char32_t c = 0;
    if (!take(rest, c).empty() && !among(kCombining, c)) break;
  }
  while (end > 0 && (name[end - 1] == '_' || name[end - 1] == '.')) end--;
  return name.substr(0, end) + '_' + hex(view(sha256(name))).substr(0, kHashDigits);
}

}  // namespace audiostore::store
