#include "html/quantity.hpp"

#include <array>
#include <cmath>
#include <cstdio>

#include "base/time_format.hpp"

namespace audiostore::html {
namespace {

using namespace std::chrono_literals;

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

// Three digits that mean something: 1.23, 12.3, 123.
std::string three_digits(double number) {
  double const size = std::abs(number);
  return format("%.*f", size < 9.995 ? 2 : size < 99.95 ? 1 : 0, number);
}

void group_thousands(std::string& digits) {
  std::size_t const start = digits.starts_with('-') ? 1 : 0;
  std::size_t const end = std::min(digits.find('.'), digits.size());
  for (std::size_t i = end; i > start + 3; i -= 3) digits.insert(i - 3, 1, ',');
}

struct Unit {
  Microseconds length;
  const char* one;
  const char* many;
};
constexpr std::array<Unit, 6> kUnits = {{{std::chrono::hours(24 * 365), "year", "years"},
                                         {std::chrono::hours(24 * 30), "month", "months"},
                                         {24h, "day", "days"},
                                         {1h, "hour", "hours"},
                                         {1min, "minute", "minutes"},
                                         {1s, "second", "seconds"}}};

std::string number_of(std::int64_t times, const Unit& unit) {
  return format("%lld %s", static_cast<long long>(times), times == 1 ? unit.one : unit.many);
}

std::string largest_unit(Microseconds length) {
  for (const Unit& unit : kUnits) {
    if (length >= unit.length) return number_of(length / unit.length, unit);
  }
  return {};
}

std::string two(std::int64_t large, const char* large_unit, std::int64_t small, const char* small_unit) {
  std::string const text = count(large) + " " + large_unit;
  return small > 0 ? text + format(" %lld %s", static_cast<long long>(small), small_unit) : text;
}

}  // namespace

std::string count(std::int64_t number) {
  std::string digits = std::to_string(number);
  group_thousands(digits);
  return digits;
}

std::string bytes(double number) {
  static constexpr std::array<const char*, 7> kNames = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  std::size_t unit = 0;
  while (std::abs(number) >= 999.5 && unit + 1 < kNames.size()) {
    number /= 1000;
    unit++;
  }
  return (unit == 0 ? format("%.0f", number) : three_digits(number)) + " " + kNames.at(unit);
}

std::string percent(double fraction) {
  double shown = fraction * 100;
  if (fraction > 0 && shown < 0.1) return "< 0.1 %";
  if (fraction < 1 && shown > 99.9) return "> 99.9 %";
  bool const whole = shown == std::floor(shown) || std::abs(shown) >= 99.95;
  return format("%.*f %%", whole ? 0 : 1, shown);
}

std::string money(double amount) {
  if (amount != 0 && std::abs(amount) < 0.01) return format("%.4f", amount);
  std::string text = format("%.2f", amount);
  group_thousands(text);
  return text;
}

std::string decimal(double number, int digits) {
  std::string text = format("%.*f", digits, number);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
  }
  return text == "-0" ? std::string("0") : text;
}

std::string duration(Microseconds length) {
  if (length < 0us) return std::string("-").append(duration(-length));
  if (length < 1ms) return count(length / 1us) + " \u00b5s";
  if (length < 1s) return count(length / 1ms) + " ms";
  if (length < 1min) return three_digits(std::chrono::duration<double>(length).count()) + " s";
  if (length < 1h) return two(length / 1min, "min", length % 1min / 1s, "s");
  if (length < 48h) return two(length / 1h, "h", length % 1h / 1min, "min");
  return two(length / 24h, "d", length % 24h / 1h, "h");
}

std::string in_words(Microseconds length) {
  // Months and years are no fixed lengths.
  for (const Unit& unit : kUnits) {
    if (unit.length > 24h || length < unit.length || length % unit.length != 0us) continue;
    return number_of(length / unit.length, unit);
  }
  return duration(length);
}

std::string ago(TimePoint then, TimePoint now) {
  if (then > now) {
    std::string const words = largest_unit(then - now);
    return words.empty() ? "now" : std::string("in ").append(words);
  }
  std::string const words = largest_unit(now - then);
  return words.empty() ? "just now" : words + " ago";
}

std::string day(TimePoint at) {
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::chrono::year_month_day const date(std::chrono::floor<std::chrono::days>(at));
  return format("%u %s", static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1]);
}

std::string second(TimePoint at) {
  std::string text = iso8601(at);  // 2026-11-26T14:05:31.123Z
  text.resize(std::min(text.find('.'), text.size()));
  if (auto const mark = text.find('T'); mark != std::string::npos) text[mark] = ' ';
  return text + " UTC";
}

std::string minute(TimePoint at) {
  std::string text = second(at);
  return text.erase(text.size() - 7, 3);
}

}  // namespace audiostore::html
