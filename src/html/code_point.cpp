#include "html/code_point.hpp"

#include <algorithm>

#include "base/encoding.hpp"

namespace audiostore::html {
namespace {

struct Range {
  std::uint32_t first, last;
};

// Unicode's Cc, Cf, Zl and Zp but for the joiners that scripts need (U+200C, U+200D), fillers that look like nothing,
// noncharacters, and private use, which looks like anything.
constexpr Range kDeceptive[] = {
    {0x00, 0x08},     {0x0B, 0x1F},     {0x7F, 0x9F},       {0xAD, 0xAD},        {0x034F, 0x034F}, {0x061C, 0x061C},
    {0x115F, 0x1160}, {0x17B4, 0x17B5}, {0x180B, 0x180F},   {0x200B, 0x200B},    {0x200E, 0x200F}, {0x2028, 0x202E},
    {0x2060, 0x206F}, {0x3164, 0x3164}, {0xE000, 0xF8FF},   {0xFDD0, 0xFDEF},    {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0},
    {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0xE0000, 0xE0FFF}, {0xF0000, 0x10FFFF},
};

}  // namespace

CodePoint first_code_point(std::string_view utf8) {
  auto const lead = static_cast<unsigned char>(utf8.front());
  std::size_t const length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (length > utf8.size() || !is_utf8(utf8.substr(0, length))) return {lead, 1, false};
  if (length == 1) return {lead, 1, true};
  std::uint32_t value = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; i++) value = value << 6U | (static_cast<unsigned char>(utf8[i]) & 0x3FU);
  return {value, length, true};
}

bool deceptive(std::uint32_t code_point) {
  return std::ranges::any_of(kDeceptive,
                             [&](Range range) { return code_point >= range.first && code_point <= range.last; }) ||
         (code_point & 0xFFFEU) == 0xFFFEU;
}

}  // namespace audiostore::html
