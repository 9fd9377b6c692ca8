#include "base/encoding.hpp"

#include <array>
#include <cstdint>

namespace audiostore {
namespace {

constexpr char kHexLower[] = "0123456789abcdef";
constexpr char kHexUpper[] = "0123456789ABCDEF";
constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<bool, 256> make_unreserved() {
  std::array<bool, 256> table{};
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (const char c : {'-', '.', '_', '~'}) table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kUnreserved = make_unreserved();

constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

// Octets of the well-formed character at the front of the text; 0 when there is none (Unicode, table 3-7).
std::size_t character_length(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i) { return i < text.size() && (at(i) & 0xC0U) == 0x80U; };
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!continues(1) || !continues(2)) return 0;
    if (lead == 0xE0 && at(1) < 0xA0) return 0;
    if (lead == 0xED && at(1) > 0x9F) return 0;
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (lead == 0xF0 && at(1) < 0x90) return 0;
    if (lead == 0xF4 && at(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

}  // namespace

void append_hex(std::string& out, BytesView data) {
  std::size_t at = out.size();
  out.resize(at + data.size() * 2);
  for (const char c : data) {
    const auto octet = static_cast<unsigned char>(c);
    out[at++] = kHexLower[octet >> 4U];
    out[at++] = kHexLower[octet & 15U];
  }
}

std::string hex(BytesView data) {
  std::string out;
  append_hex(out, data);
  return out;
}

std::string base64(BytesView data) {
  std::string out;
  out.reserve((data.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < data.size(); i += 3) {
    const auto octet = [&](std::size_t k) -> std::uint32_t {
      return i + k < data.size() ? static_cast<unsigned char>(data[i + k]) : 0U;
    };
    const std::uint32_t group = octet(0) << 16U | octet(1) << 8U | octet(2);
    out += kBase64[group >> 18U];
    out += kBase64[group >> 12U & 63U];
    out += i + 1 < data.size() ? kBase64[group >> 6U & 63U] : '=';
    out += i + 2 < data.size() ? kBase64[group & 63U] : '=';
  }
  return out;
}

std::optional<Bytes> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  Bytes out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int value = i >= text.size() - padding ? 0 : base64_value(text[i]);
    if (value < 0) return std::nullopt;
    group = group << 6U | static_cast<std::uint32_t>(value);
    if (i % 4 == 3) {
      out += static_cast<char>(group >> 16U & 255U);
      out += static_cast<char>(group >> 8U & 255U);
      out += static_cast<char>(group & 255U);
      group = 0;
    }
  }
  out.resize(out.size() - padding);
  return out;
}

void append_uri_encoded(std::string& out, std::string_view text, Slash slash) {
  const bool keep_slash = slash == Slash::keep;
  std::size_t plain = 0;  // start of the run that needs no encoding
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto octet = static_cast<unsigned char>(text[i]);
    if (kUnreserved[octet] || (keep_slash && octet == '/')) continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    out += '%';
    out += kHexUpper[octet >> 4U];
    out += kHexUpper[octet & 15U];
  }
  out.append(text, plain);
}

std::string uri_encode(std::string_view text, Slash slash) {
  std::string out;
  out.reserve(text.size() + 16);
  append_uri_encoded(out, text, slash);
  return out;
}

std::optional<std::string> uri_decode(std::string_view text, Plus plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == Plus::space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string printable(std::string_view text, std::size_t limit) {
  std::string out;
  while (!text.empty()) {
    std::size_t length = character_length(text);
    const bool show = length > 1 || (length == 1 && static_cast<unsigned char>(text[0]) >= 0x20 && text[0] != 0x7F);
    if (length == 0) length = 1;
    if (out.size() + (show ? length : 1) > limit) {
      out += "...";
      break;
    }
    if (show) {
      out.append(text, 0, length);
    } else {
      out += '?';
    }
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace audiostore
