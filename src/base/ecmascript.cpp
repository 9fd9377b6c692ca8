// ECMA-262: 25.5.2 (JSON.stringify, QuoteJSONString), 6.1.6.1.20 (Number::toString), 10.1.11 (order of members).
#include "base/ecmascript.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "base/error.hpp"

namespace audiostore::ecmascript {
namespace {

constexpr int kDeepest = 1000;
constexpr char kDigits[] = "0123456789abcdef";

void append_escape(std::string& target, unsigned unit) {
  target += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) target += kDigits[(unit >> shift) & 15U];
}

// The surrogate that begins here (ED A0..BF xx), or 0.
unsigned surrogate_at(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size() || static_cast<unsigned char>(text[at]) != 0xED) return 0;
  auto const second = static_cast<unsigned char>(text[at + 1]);
  if (second < 0xA0) return 0;
  return 0xD000U | ((second & 0x3FU) << 6) | (static_cast<unsigned char>(text[at + 2]) & 0x3FU);
}

void append_utf8(std::string& target, unsigned code) {
  if (code < 0x80) {
    target += static_cast<char>(code);
  } else if (code < 0x800) {
    target += static_cast<char>(0xC0 | (code >> 6));
    target += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    target += static_cast<char>(0xE0 | (code >> 12));
    target += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    target += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    target += static_cast<char>(0xF0 | (code >> 18));
    target += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    target += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    target += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// An array index: the canonical decimal of 0 to 2^32 - 2.
bool is_index(const std::string& name, std::uint32_t& index) {
  if (name.empty() || name.size() > 10 || (name.size() > 1 && name[0] == '0')) return false;
  auto const [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  return error == std::errc{} && end == name.data() + name.size() && index != UINT32_MAX;
}

class Reader {
 public:
  Reader(std::string_view json, std::string& target) : json_(json), target_(target) {}

  void document() {
    value(0);
    skip_space();
    if (at_ != json_.size()) fail();
  }

 private:
  struct Member {
    std::string name;
    std::string text;
  };

  [[noreturn]] static void fail() { throw Error(ErrorKind::invalid_argument, "invalid JSON"); }

  void skip_space() {
    while (at_ < json_.size() && (json_[at_] == ' ' || json_[at_] == '\t' || json_[at_] == '\n' || json_[at_] == '\r'))
      at_++;
  }

  bool take(char expected) {
    skip_space();
    if (at_ >= json_.size() || json_[at_] != expected) return false;
    at_++;
    return true;
  }

  void word(std::string_view expected) {
    if (json_.substr(at_, expected.size()) != expected) fail();
    at_ += expected.size();
    target_ += expected;
  }

  void value(int depth) {
    if (depth > kDeepest) {
      throw Error(ErrorKind::invalid_argument, "JSON is nested too deeply",
                  "At most " + std::to_string(kDeepest) + " levels are read.");
    }
    skip_space();
    if (at_ >= json_.size()) fail();
    switch (json_[at_]) {
      case '{': object(depth); break;
      case '[': array(depth); break;
      case '"': append_string(target_, string()); break;
      case 't': word("true"); break;
      case 'f': word("false"); break;
      case 'n': word("null"); break;
      default: number();
    }
  }

  void number() {
    auto const from = at_;
    while (at_ < json_.size() && std::string_view("+-.0123456789eE").find(json_[at_]) != std::string_view::npos) at_++;
    std::string const digits(json_.substr(from, at_ - from));
    char* end = nullptr;
    // The locale of the server's numbers is C; beyond the range it gives infinity or 0, as JSON.parse() does.
    double const number = std::strtod(digits.c_str(), &end);
    if (digits.empty() || end != digits.c_str() + digits.size()) fail();
    append_number(target_, number);
  }

  unsigned hex() {
    if (at_ + 4 > json_.size()) fail();
    unsigned unit = 0;
    auto const [end, error] = std::from_chars(json_.data() + at_, json_.data() + at_ + 4, unit, 16);
    if (error != std::errc{} || end != json_.data() + at_ + 4) fail();
    at_ += 4;
    return unit;
  }

  void escape(std::string& text) {
    if (at_ >= json_.size()) fail();
    char const kind = json_[at_++];
    constexpr std::string_view kKinds = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    if (auto const index = kKinds.find(kind); index != std::string_view::npos) {
      text += kMeant[index];
      return;
    }
    if (kind != 'u') fail();
    unsigned const unit = hex();
    // A pair of surrogates is one character, whichever way its halves came to lie side by side.
    std::size_t const before = text.size();
    unsigned const high = before >= 3 ? surrogate_at(text, before - 3) : 0;
    if (high >= 0xD800 && high < 0xDC00 && unit >= 0xDC00 && unit < 0xE000) {
      text.resize(before - 3);
      append_utf8(text, 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00));
    } else {
      append_utf8(text, unit);
    }
  }

  std::string string() {
    std::string text;
    at_++;
    while (at_ < json_.size() && json_[at_] != '"') {
      char const c = json_[at_++];
      if (c == '\\') {
        escape(text);
      } else if (static_cast<unsigned char>(c) < 0x20) {
        fail();
      } else {
        text += c;
      }
    }
    if (at_ >= json_.size()) fail();
    at_++;
    return text;
  }

  void array(int depth) {
    at_++;
    target_ += '[';
    if (!take(']')) {
      do {
        value(depth + 1);
      } while (take(',') && (target_ += ',', true));
      if (!take(']')) fail();
    }
    target_ += ']';
  }

  void object(int depth) {
    at_++;
    std::vector<Member> members;
    if (!take('}')) {
      do {
        member(members, depth);
      } while (take(','));
      if (!take('}')) fail();
    }
    write(members);
  }

  void member(std::vector<Member>& members, int depth) {
    skip_space();
    if (at_ >= json_.size() || json_[at_] != '"') fail();
    std::string name = string();
    if (!take(':')) fail();
    std::string text;
    std::swap(text, target_);
    value(depth + 1);
    std::swap(text, target_);
    auto const same = std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.name == name; });
    if (same != members.end()) {
      same->text = std::move(text);
    } else {
      members.push_back({std::move(name), std::move(text)});
    }
  }

  void write(std::vector<Member>& members) {
    std::stable_sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
      std::uint32_t first = 0;
      std::uint32_t second = 0;
      bool const a_index = is_index(a.name, first);
      bool const b_index = is_index(b.name, second);
      return a_index && (!b_index || first < second);
    });
    target_ += '{';
    for (Member const& member : members) {
      if (&member != members.data()) target_ += ',';
      append_string(target_, member.name);
      target_ += ':';
      target_ += member.text;
    }
    target_ += '}';
  }

  std::string_view json_;
  std::string& target_;
  std::size_t at_ = 0;
};

}  // namespace

void append_string(std::string& target, std::string_view text) {
  target += '"';
  for (std::size_t i = 0; i < text.size(); i++) {
    char const c = text[i];
    constexpr std::string_view kShort = "\"\\\b\f\n\r\t";
    constexpr std::string_view kLetters = "\"\\bfnrt";
    if (auto const index = kShort.find(c); index != std::string_view::npos) {
      target += '\\';
      target += kLetters[index];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      append_escape(target, static_cast<unsigned char>(c));
    } else if (unsigned const surrogate = surrogate_at(text, i); surrogate != 0) {
      append_escape(target, surrogate);
      i += 2;
    } else {
      target += c;
    }
  }
  target += '"';
}

void append_number(std::string& target, double number) {
  if (!std::isfinite(number)) {
    target += "null";
    return;
  }
  if (number == 0) {
    target += '0';
    return;
  }
  if (number < 0) target += '-';
  char buffer[32];
  auto const result =
      std::to_chars(std::begin(buffer), std::end(buffer), std::fabs(number), std::chars_format::scientific);
  std::string_view const text(buffer, static_cast<std::size_t>(result.ptr - buffer));
  auto const e = text.find('e');
  std::string digits(text.substr(0, 1));
  if (e > 2) digits += text.substr(2, e - 2);
  int exponent = 0;
  auto const* from = text.data() + e + 1;
  if (*from == '+') from++;
  std::from_chars(from, text.data() + text.size(), exponent);
  int const n = exponent + 1;  // as the specification names them: the value is 0.digits times 10 to the n
  int const k = static_cast<int>(digits.size());
  if (n >= k && n <= 21) {
    target += digits + std::string(static_cast<std::size_t>(n - k), '0');
  } else if (n > 0 && n <= 21) {
    target += digits.substr(0, static_cast<std::size_t>(n)) + '.' + digits.substr(static_cast<std::size_t>(n));
  } else if (n > -6 && n <= 0) {
    target += "0." + std::string(static_cast<std::size_t>(-n), '0') + digits;
  } else {
    target += digits.substr(0, 1);
    if (k > 1) target += '.' + digits.substr(1);
    target += n > 0 ? "e+" : "e-";
    target += std::to_string(std::abs(n - 1));
  }
}

void append_json(std::string& target, std::string_view json) { Reader(json, target).document(); }

}  // namespace audiostore::ecmascript
