#include "html/sql.hpp"

#include <cstdio>

#include "html/code_point.hpp"

namespace audiostore::html {
namespace {

bool shown_as_it_is(std::uint32_t code_point) { return !deceptive(code_point) && code_point >= ' '; }

bool needs_numbers(std::string_view utf8) {
  while (!utf8.empty()) {
    CodePoint const next = first_code_point(utf8);
    if (next.well_formed && !shown_as_it_is(next.value)) return true;
    utf8.remove_prefix(next.length);
  }
  return false;
}

void append_number(std::string& out, std::uint32_t code_point) {
  char number[12];
  std::snprintf(number, sizeof number, code_point > 0xFFFF ? "\\+%06X" : "\\%04X", static_cast<unsigned>(code_point));
  out += number;
}

}  // namespace

std::string sql_literal(std::string_view utf8) {
  bool const numbers = needs_numbers(utf8);
  bool const backslashes = !numbers && utf8.find('\\') != std::string_view::npos;
  std::string out = numbers ? "U&'" : backslashes ? "E'" : "'";
  while (!utf8.empty()) {
    CodePoint const next = first_code_point(utf8);
    std::string_view const octets = utf8.substr(0, next.length);
    if (numbers && next.well_formed && !shown_as_it_is(next.value)) {
      append_number(out, next.value);
    } else {
      if (octets == "'" || octets == "\\") out += octets;
      out += octets;
    }
    utf8.remove_prefix(next.length);
  }
  return out + "'";
}

}  // namespace audiostore::html
