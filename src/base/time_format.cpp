#include "base/time_format.hpp"

#include <array>
#include <cstdio>

namespace audiostore {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array<std::string_view, 7> kWeekdays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Parts {
  int year = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0, microsecond = 0;
};

struct Calendar {
  std::chrono::year_month_day date{};
  std::chrono::hh_mm_ss<microseconds> time;
};

Calendar split(TimePoint at) {
  const auto day = floor<days>(at);
  return {std::chrono::year_month_day{day}, std::chrono::hh_mm_ss<microseconds>{at - day}};
}

template <class... Args>
std::string print(const char* format, Args... args) {
  std::array<char, 64> buffer{};
  const int length = std::snprintf(buffer.data(), buffer.size(), format, args...);
  return {buffer.data(), static_cast<std::size_t>(length)};
}

std::optional<TimePoint> join(const Parts& p) {
  const std::chrono::year_month_day date{std::chrono::year{p.year}, std::chrono::month{p.month},
                                         std::chrono::day{p.day}};
  // 60 is a leap second: it is the first second of the next minute for everything that we do with times.
  if (!date.ok() || p.hour > 23 || p.minute > 59 || p.second > 60) return std::nullopt;
  return TimePoint{std::chrono::sys_days{date}} + hours{p.hour} + minutes{p.minute} + seconds{p.second} +
         microseconds{p.microsecond};
}

// Reads a text from the front; every step says whether it fitted.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool number(std::size_t digits, unsigned& out) {
    if (rest_.size() < digits) return false;
    out = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return false;
      out = out * 10 + static_cast<unsigned>(rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return true;
  }
  bool year(int& out) {
    unsigned value = 0;
    const bool ok = number(4, value);
    out = static_cast<int>(value);
    return ok;
  }
  bool literal(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  template <std::size_t N>
  bool one_of(const std::array<std::string_view, N>& words, unsigned& index) {
    for (unsigned i = 0; i < N; ++i) {
      if (literal(words[i])) {
        index = i;
        return true;
      }
    }
    return false;
  }
  // ".123456789", cut to microseconds; absent is fine.
  bool fraction(unsigned& micro) {
    micro = 0;
    if (!literal(".")) return true;
    unsigned scale = 100000;
    std::size_t digits = 0;
    for (; !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9' && digits < 9; ++digits) {
      micro += static_cast<unsigned>(rest_[0] - '0') * scale;
      scale /= 10;
      rest_.remove_prefix(1);
    }
    return digits > 0;
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace

std::string iso8601_basic(TimePoint at) {
  const Calendar c = split(at);
  return print("%04d%02u%02uT%02d%02d%02dZ", static_cast<int>(c.date.year()), static_cast<unsigned>(c.date.month()),
               static_cast<unsigned>(c.date.day()), static_cast<int>(c.time.hours().count()),
               static_cast<int>(c.time.minutes().count()), static_cast<int>(c.time.seconds().count()));
}

std::string iso8601(TimePoint at) {
  const Calendar c = split(at);
  return print("%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(c.date.year()),
               static_cast<unsigned>(c.date.month()), static_cast<unsigned>(c.date.day()),
               static_cast<int>(c.time.hours().count()), static_cast<int>(c.time.minutes().count()),
               static_cast<int>(c.time.seconds().count()), static_cast<int>(c.time.subseconds().count() / 1000));
}

std::string rfc1123(TimePoint at) {
  const Calendar c = split(at);
  const std::chrono::weekday weekday{std::chrono::sys_days{c.date}};
  return print("%s, %02u %s %04d %02d:%02d:%02d GMT", kWeekdays[weekday.c_encoding()].data(),
               static_cast<unsigned>(c.date.day()), kMonths[static_cast<unsigned>(c.date.month()) - 1].data(),
               static_cast<int>(c.date.year()), static_cast<int>(c.time.hours().count()),
               static_cast<int>(c.time.minutes().count()), static_cast<int>(c.time.seconds().count()));
}

std::optional<TimePoint> parse_iso8601(std::string_view text) {
  Reader in(text);
  Parts p;
  if (!(in.year(p.year) && in.literal("-") && in.number(2, p.month) && in.literal("-") && in.number(2, p.day) &&
        in.literal("T") && in.number(2, p.hour) && in.literal(":") && in.number(2, p.minute) && in.literal(":") &&
        in.number(2, p.second) && in.fraction(p.microsecond))) {
    return std::nullopt;
  }
  minutes offset{0};
  if (!in.literal("Z")) {
    const bool east = in.literal("+");
    unsigned offset_hours = 0;
    unsigned offset_minutes = 0;
    if ((!east && !in.literal("-")) || !in.number(2, offset_hours)) return std::nullopt;
    in.literal(":");
    if (!in.number(2, offset_minutes) || offset_hours > 23 || offset_minutes > 59) return std::nullopt;
    offset = (hours{offset_hours} + minutes{offset_minutes}) * (east ? 1 : -1);
  }
  const auto local = join(p);
  if (!in.at_end() || !local) return std::nullopt;
  return *local - offset;
}

std::optional<TimePoint> parse_iso8601_basic(std::string_view text) {
  Reader in(text);
  Parts p;
  if (!(in.year(p.year) && in.number(2, p.month) && in.number(2, p.day) && in.literal("T") && in.number(2, p.hour) &&
        in.number(2, p.minute) && in.number(2, p.second) && in.literal("Z") && in.at_end())) {
    return std::nullopt;
  }
  return join(p);
}

std::optional<TimePoint> parse_rfc1123(std::string_view text) {
  Reader in(text);
  Parts p;
  unsigned weekday = 0;
  if (!(in.one_of(kWeekdays, weekday) && in.literal(", ") && in.number(2, p.day) && in.literal(" ") &&
        in.one_of(kMonths, p.month) && in.literal(" ") && in.year(p.year) && in.literal(" ") && in.number(2, p.hour) &&
        in.literal(":") && in.number(2, p.minute) && in.literal(":") && in.number(2, p.second) && in.literal(" GMT") &&
        in.at_end())) {
    return std::nullopt;
  }
  ++p.month;
  return join(p);
}

}  // namespace audiostore
