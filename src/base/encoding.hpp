// Text encodings of octets: hexadecimal, base64, percent-encoding, UTF-8. Those used on hot paths append to
// a string of the caller.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace audiostore {

void append_hex(std::string& out, BytesView data);  // lower case
std::string hex(BytesView data);

std::string base64(BytesView data);
// Nothing when it is not base64 with its padding.
std::optional<Bytes> base64_decode(std::string_view text);

enum class Slash { encode, keep };

// RFC 3986: everything but A-Z a-z 0-9 - . _ ~ (and '/' where kept) becomes %XX in upper case.
void append_uri_encoded(std::string& out, std::string_view text, Slash slash);
std::string uri_encode(std::string_view text, Slash slash);

enum class Plus { literal, space };

// Nothing when a percent sign is not followed by two hexadecimal digits.
std::optional<std::string> uri_decode(std::string_view text, Plus plus);

// Well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). A NUL counts as well-formed.
bool is_utf8(std::string_view text) noexcept;

// Text from outside made fit for a message: control characters and malformed UTF-8 become '?', and it is cut
// to `limit` octets.
std::string printable(std::string_view text, std::size_t limit);

}  // namespace audiostore
