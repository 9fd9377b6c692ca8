#include "store/common_options.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "http/endpoint.hpp"

namespace audiostore::store {
namespace {

using std::chrono::microseconds;

Error invalid(std::string_view option, std::string_view value, std::string hint) {
  return {ErrorKind::invalid_option,
          "invalid value for option \"" + std::string(option) + "\": \"" + printable(value, 200) + "\"",
          {},
          std::move(hint)};
}

struct Unit {
  std::string_view name;
  microseconds size;
};
constexpr microseconds kSecond = std::chrono::seconds{1};
constexpr microseconds kMinute = std::chrono::minutes{1};
constexpr microseconds kHour = std::chrono::hours{1};
constexpr microseconds kDay = std::chrono::hours{24};
constexpr std::array kUnits{
    Unit{"us", microseconds{1}}, Unit{"ms", microseconds{1000}}, Unit{"s", kSecond},       Unit{"sec", kSecond},
    Unit{"secs", kSecond},       Unit{"second", kSecond},        Unit{"seconds", kSecond}, Unit{"min", kMinute},
    Unit{"mins", kMinute},       Unit{"minute", kMinute},        Unit{"minutes", kMinute}, Unit{"h", kHour},
    Unit{"hour", kHour},         Unit{"hours", kHour},           Unit{"d", kDay},          Unit{"day", kDay},
    Unit{"days", kDay}};

void skip_spaces(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
}

// One "5 min" from the front of the text; nothing when there is none.
std::optional<microseconds> take_duration(std::string_view& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || !(number >= 0) || number > 1e9) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  skip_spaces(text);
  const std::size_t length = std::min(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz"), text.size());
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(),
                                 [name = text.substr(0, length)](const Unit& u) { return u.name == name; });
  if (unit == kUnits.end()) return std::nullopt;
  text.remove_prefix(length);
  return microseconds{static_cast<microseconds::rep>(number * static_cast<double>(unit->size.count()))};
}

Milliseconds milliseconds_between(std::string_view option, std::string_view value, Milliseconds low, Milliseconds high,
                                  const char* range) {
  const auto duration = std::chrono::ceil<Milliseconds>(parse_duration(option, value));
  if (duration < low || duration > high) throw invalid(option, value, std::string("It must be between ") + range + ".");
  return duration;
}

int integer_between(std::string_view option, std::string_view value, int low, int high) {
  int number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size() || number < low || number > high) {
    throw invalid(option, value,
                  "It must be a whole number between " + std::to_string(low) + " and " + std::to_string(high) + ".");
  }
  return number;
}

std::string key_prefix(std::string_view value) {
  if (!is_utf8(value) || value.find('\0') != std::string_view::npos || value.size() > 900) {
    throw invalid("prefix", value, "It must be at most 900 bytes of valid UTF-8, for example raw/.");
  }
  return std::string(value);
}

std::string absolute_path(std::string_view option, std::string_view value) {
  if (!value.starts_with('/') || value.find('\0') != std::string_view::npos) {
    throw invalid(option, value, "It must be the absolute path of a file on the database server.");
  }
  return std::string(value);
}

// Where clients find the store: unlike an endpoint it may be plain http anywhere and have a path.
std::string public_url(std::string_view value) {
  const bool has_scheme = value.starts_with("https://") || value.starts_with("http://");
  const bool plain = std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c < 0x7F; });
  const std::size_t host = value.find("://");
  if (!has_scheme || !plain || value.size() <= host + 3 || value.find_first_of("?#@\"<>\\") != std::string_view::npos) {
    throw invalid("public_url", value,
                  "It must be an absolute URL without query, for example https://cdn.example.com.");
  }
  return std::string(value);
}

}  // namespace

const std::vector<std::string_view>& common_option_names() {
  static const std::vector<std::string_view> names{"prefix",          "delete_grace",    "archive_store",
                                                   "max_connections", "request_timeout", "max_attempts",
                                                   "max_retry_delay", "ca_file",         "public_url"};
  return names;
}

bool is_common_option(std::string_view name) {
  const auto& names = common_option_names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::chrono::microseconds parse_duration(std::string_view option, std::string_view value) {
  microseconds total{0};
  std::string_view rest = value;
  skip_spaces(rest);
  do {
    const auto part = take_duration(rest);
    if (!part)
      throw invalid(option, value, "It must be a duration with its unit, for example 500ms, 30s, 5min or 1 day.");
    total += *part;
    skip_spaces(rest);
  } while (!rest.empty());
  return total;
}

Common read_common(const Options& options) {
  Common common;
  for (const auto& [name, value] : options) {
    if (name == "prefix") {
      common.prefix = key_prefix(value);
    } else if (name == "archive_store") {
      if (value.empty() || value.size() > 63) throw invalid(name, value, "It must be the name of another store.");
      common.archive_store = value;
    } else if (name == "max_connections") {
      common.max_connections = integer_between(name, value, 1, 256);
    } else if (name == "max_attempts") {
      common.max_attempts = integer_between(name, value, 1, 1000);
    } else if (name == "request_timeout") {
      common.request_timeout =
          milliseconds_between(name, value, Milliseconds{100}, std::chrono::hours{24}, "100ms and 1 day");
    } else if (name == "max_retry_delay") {
      common.max_retry_delay =
          milliseconds_between(name, value, Milliseconds{1}, std::chrono::hours{24}, "1ms and 1 day");
    } else if (name == "ca_file") {
      common.ca_file = absolute_path(name, value);
    } else if (name == "public_url") {
      common.public_url = public_url(value);
    }
  }
  return common;
}

}  // namespace audiostore::store
