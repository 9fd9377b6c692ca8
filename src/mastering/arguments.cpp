#include "mastering/arguments.hpp"

#include <charconv>
#include <cmath>

#include "audio/wire.hpp"

namespace audiostore::mastering {
namespace {

static_assert(kSampleRates.least == audio::wire::kLeastSampleRate && kSampleRates.most == audio::wire::kMostSampleRate);
static_assert(kChannelCounts.most == audio::wire::kMostChannels);

// As SQL writes it.
std::string written(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
  char digits[400];
  auto const end = std::to_chars(std::begin(digits), std::end(digits), number, std::chars_format::fixed);
  return {digits, end.ptr};
}

double checked(double value, const char* name, const Range& range) {
  if (value >= range.least && value <= range.most) return value;
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, std::string(name) + " is out of range",
                     "It is " + written(value) + range.unit + ", and can be from " + written(range.least) + " to " +
                         written(range.most) + range.unit + ".");
}

}  // namespace

double number_argument(const pg::Arguments& arguments, int index, const char* name, const Range& range) {
  return checked(DatumGetFloat8(arguments.datum(index, name)), name, range);
}

std::int32_t integer_argument(const pg::Arguments& arguments, int index, const char* name, const Range& range) {
  std::int32_t const value = DatumGetInt32(arguments.datum(index, name));
  checked(value, name, range);
  return value;
}

std::int32_t integer_or_default(const pg::Arguments& arguments, int index, const char* name, const Range& range) {
  return arguments.null(index) ? 0 : integer_argument(arguments, index, name, range);
}

}  // namespace audiostore::mastering
