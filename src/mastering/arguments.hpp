// Arguments with a range: what is outside of it is named, with the range, before any audio is looked at.
#pragma once

#include "pg/arguments.hpp"

namespace audiostore::mastering {

struct Range {
  double least;
  double most;
  const char* unit;  // with a blank before it, or empty
};

// NaN is outside of every range.
double number_argument(const pg::Arguments& arguments, int index, const char* name, const Range& range);
std::int32_t integer_argument(const pg::Arguments& arguments, int index, const char* name, const Range& range);
// 0 for NULL: the default of whoever takes it.
std::int32_t integer_or_default(const pg::Arguments& arguments, int index, const char* name, const Range& range);

inline constexpr Range kSampleRates{1000, 768000, " Hz"};
inline constexpr Range kChannelCounts{1, 64, ""};

}  // namespace audiostore::mastering
