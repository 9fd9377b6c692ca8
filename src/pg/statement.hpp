// SQL run by C++: prepared once for each process, with a pinned search_path, its rows read by position. A Spi is
// one connection to SPI: statements run inside its scope, and their rows are valid until the next statement.
#pragma once

#include <cstdint>
#include <exception>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pg/guard.hpp"

namespace audiostore::pg {

// Connects to SPI, pins search_path to pg_catalog, pg_temp and sees to an active snapshot.
class Spi {
 public:
  // What is read through it: all that is committed by now, as the isolation level has it; or what the calling statement
  // sees, if there is one, as a STABLE function has to.
  enum class Sees { latest, statement };
  explicit Spi(Sees sees = Sees::latest);
  ~Spi();
  Spi(const Spi&) = delete;
  Spi& operator=(const Spi&) = delete;

 private:
  int guc_level_ = 0;
  Snapshot snapshot_ = nullptr;
  int exceptions_ = std::uncaught_exceptions();
};

// An argument of a statement: a Datum, or SQL NULL.
struct Argument {
  Datum value = 0;
  bool null = true;
  Argument() = default;
  Argument(Datum given) : value(given), null(false) {}  // NOLINT(google-explicit-constructor)
};

// Datums made in the current memory context.
Argument text_argument(std::string_view value);
Argument bigint_array(std::span<const std::int64_t> values);
Argument text_array(std::span<const std::string> values);
TimestampTz to_timestamp(std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds> time);

// The rows that the last statement returned.
class Rows {
 public:
  std::size_t size() const;
  bool null(std::size_t row, int column) const;  // columns count from 1
  std::int64_t bigint(std::size_t row, int column) const;
  std::int32_t integer(std::size_t row, int column) const;
  bool boolean(std::size_t row, int column) const;
  TimestampTz timestamp(std::size_t row, int column) const;
  std::string text(std::size_t row, int column) const;  // text and bytea as they are, "" for NULL
  NullableDatum datum(std::size_t row, int column) const;

 private:
  Datum get(std::size_t row, int column, bool* null) const;
};

// Make them static: the plan is kept for the life of the process.
class Statement {
 public:
  Statement(const char* sql, std::initializer_list<Oid> types) : sql_(sql), types_(types) {}

  // Number of rows processed. The rows returned are in rows().
  std::uint64_t execute(std::initializer_list<Argument> arguments);
  // Reads with the snapshot of the Spi that is open, as every other read() in it; writes are refused.
  std::uint64_t read(std::initializer_list<Argument> arguments);
  // Reads with a snapshot taken now, whatever the isolation level, and sees what the calling statement itself did.
  std::uint64_t read_latest(std::initializer_list<Argument> arguments);
  Rows rows() const { return {}; }

 private:
  template <class Run>
  std::uint64_t run(std::initializer_list<Argument> arguments, Run&& plan);

  const char* sql_;
  std::vector<Oid> types_;
  SPIPlanPtr plan_ = nullptr;
};

// A statement whose text is made at run time. It is planned when it runs first, and its plan goes with it.
class OwnedStatement {
 public:
  OwnedStatement(std::string sql, std::vector<Oid> types) : sql_(std::move(sql)), types_(std::move(types)) {}
  ~OwnedStatement();
  OwnedStatement(const OwnedStatement&) = delete;
  OwnedStatement& operator=(const OwnedStatement&) = delete;

  // As whoever is the current user. Number of rows processed; those returned are in Rows.
  std::uint64_t execute(std::span<const Datum> values);

 private:
  std::string sql_;
  std::vector<Oid> types_;
  SPIPlanPtr plan_ = nullptr;
};

}  // namespace audiostore::pg
