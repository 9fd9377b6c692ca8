// UTF-8 code point by code point, malformed text included.
#pragma once

#include <cstdint>
#include <string_view>

namespace audiostore::html {

struct CodePoint {
  std::uint32_t value;  // the octet where it is malformed
  std::size_t length;   // octets
  bool well_formed;
};

// The first one of a text that is not empty.
CodePoint first_code_point(std::string_view utf8);

// Controls, marks of direction, spaces without width and the like: what is not seen, or changes how its surroundings
// read.
bool deceptive(std::uint32_t code_point);

}  // namespace audiostore::html
