// What the sections of the report read: rows of statements that only read, their times as points in time, or nothing
// where they are NULL or infinite. Texts are UTF-8: the extension lives in no other kind of database.
#pragma once

#include <optional>
#include <string>

#include "base/clock.hpp"
#include "pg/statement.hpp"

namespace audiostore::report {

// What the report is about: from `since` to `now`, as of one snapshot.
struct Period {
  TimePoint since;
  TimePoint now;
};

class Facts {
 public:
  // Runs the statement, which may only read, in the Spi that is open.
  explicit Facts(pg::Statement& statement, std::initializer_list<pg::Argument> arguments = {});

  std::size_t size() const { return rows_.size(); }
  bool null(std::size_t row, int column) const { return rows_.null(row, column); }  // columns count from 1
  std::int64_t bigint(std::size_t row, int column) const { return null(row, column) ? 0 : rows_.bigint(row, column); }
  std::int32_t integer(std::size_t row, int column) const { return null(row, column) ? 0 : rows_.integer(row, column); }
  double number(std::size_t row, int column) const;  // double precision
  bool boolean(std::size_t row, int column) const { return !null(row, column) && rows_.boolean(row, column); }
  std::string text(std::size_t row, int column) const;
  std::optional<TimePoint> time(std::size_t row, int column) const;  // timestamptz

 private:
  pg::Rows rows_;
};

pg::Argument argument(TimePoint at);

}  // namespace audiostore::report
