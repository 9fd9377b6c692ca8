#include "html/text.hpp"

#include <cstdio>

#include "html/code_point.hpp"

namespace audiostore::html {
namespace {

void append_number(std::string& out, const char* format, unsigned number) {
  char digits[32];
  std::snprintf(digits, sizeof digits, format, number);
  out += digits;
}

void append_plain(std::string& out, std::uint32_t code_point) {
  switch (code_point) {
    case '&': out += "&amp;"; return;
    case '<': out += "&lt;"; return;
    case '>': out += "&gt;"; return;
    case '"': out += "&quot;"; return;
    case '\'': out += "&#39;"; return;
    default: break;
  }
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else {
    append_number(out, "&#x%X;", code_point);
  }
}

}  // namespace

void append_escaped(std::string& out, std::string_view utf8) {
  while (!utf8.empty()) {
    CodePoint const next = first_code_point(utf8);
    if (!next.well_formed) {
      append_number(out, "&#x27E8;0x%02X&#x27E9;", next.value);
    } else if (deceptive(next.value)) {
      append_number(out, "&#x27E8;U+%04X&#x27E9;", next.value);
    } else {
      append_plain(out, next.value);
    }
    utf8.remove_prefix(next.length);
  }
}

std::string shortened(std::string_view utf8, std::size_t limit) {
  std::string_view rest = utf8;
  for (std::size_t i = 0; i < limit && !rest.empty(); i++) rest.remove_prefix(first_code_point(rest).length);
  std::string kept(utf8.substr(0, utf8.size() - rest.size()));
  return rest.empty() ? kept : kept + "\u2026";
}

}  // namespace audiostore::html
