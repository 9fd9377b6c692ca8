// Between PostgreSQL's timestamps (microseconds since 2000) and intervals and C++'s time points (since 1970).
#pragma once

#include <chrono>

#include "base/clock.hpp"
#include "pg/guard.hpp"

namespace audiostore::pg {

inline constexpr std::int64_t kEpochShift =
    std::int64_t{POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE} * SECS_PER_DAY * USECS_PER_SEC;

inline TimePoint to_time_point(TimestampTz time) { return TimePoint(std::chrono::microseconds(time + kEpochShift)); }
inline TimestampTz to_timestamptz(TimePoint time) { return time.time_since_epoch().count() - kEpochShift; }

// Months count as 30 days and days as 24 hours, as everywhere where PostgreSQL needs a fixed length.
inline std::chrono::microseconds to_microseconds(const Interval& interval) {
  constexpr std::int64_t kLimit = std::int64_t{100000} * 366;  // days; keeps infinite intervals out of overflow
  std::int64_t const days = std::int64_t{interval.month} * DAYS_PER_MONTH + interval.day;
  if (days > kLimit || days < -kLimit || interval.time == INT64_MAX || interval.time == INT64_MIN) {
    throw SqlError(ERRCODE_DATETIME_FIELD_OVERFLOW, "interval out of range");
  }
  std::int64_t sum = 0;
  if (__builtin_add_overflow(days * USECS_PER_DAY, interval.time, &sum)) {
    throw SqlError(ERRCODE_DATETIME_FIELD_OVERFLOW, "interval out of range");
  }
  return std::chrono::microseconds(sum);
}

}  // namespace audiostore::pg
