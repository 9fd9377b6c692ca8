#include "report/facts.hpp"

#include "pg/time.hpp"

namespace audiostore::report {
Facts::Facts(pg::Statement& statement, std::initializer_list<pg::Argument> arguments) {
  statement.read(arguments);
  rows_ = statement.rows();
}

double Facts::number(std::size_t row, int column) const {
  NullableDatum const found = rows_.datum(row, column);
  return found.isnull ? 0 : DatumGetFloat8(found.value);
}

std::string Facts::text(std::size_t row, int column) const { return rows_.text(row, column); }

std::optional<TimePoint> Facts::time(std::size_t row, int column) const {
  if (null(row, column)) return std::nullopt;
  TimestampTz const at = rows_.timestamp(row, column);
  // Calendars here end with the year 9999, as ISO 8601 does.
  constexpr std::int64_t kEnd = std::int64_t{8000} * 365 * USECS_PER_DAY;
  constexpr std::int64_t kBeginning = std::int64_t{-1900} * 365 * USECS_PER_DAY;
  if (at > kEnd || at < kBeginning) return std::nullopt;
  return pg::to_time_point(at);
}

pg::Argument argument(TimePoint at) { return {TimestampTzGetDatum(pg::to_timestamptz(at))}; }

}  // namespace audiostore::report
