#include "pg/statement.hpp"

#include <array>
#include <exception>

namespace audiostore::pg {
namespace {

constexpr std::size_t kMostArguments = 16;

// Inside call().
SPIPlanPtr prepare(const char* sql, std::vector<Oid>& types) {
  SPIPlanPtr const made = SPI_prepare(sql, static_cast<int>(types.size()), types.data());
  if (made == nullptr) {
    elog(ERROR, "could not prepare a statement of audiostore: %s", SPI_result_code_string(SPI_result));
  }
  SPI_keepplan(made);
  return made;
}

// Inside call().
std::uint64_t processed(int result) {
  if (result < 0) elog(ERROR, "could not run a statement of audiostore: %s", SPI_result_code_string(result));
  return SPI_processed;
}

}  // namespace

Spi::Spi(Sees sees) {
  call([this, sees] {
    SPI_connect();
    guc_level_ = NewGUCNestLevel();
    set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                      false);
    bool const callers = sees == Sees::statement && ActiveSnapshotSet();
    PushActiveSnapshot(callers ? GetActiveSnapshot() : GetTransactionSnapshot());
    snapshot_ = GetActiveSnapshot();
  });
}

Spi::~Spi() {
  bool const failing = std::uncaught_exceptions() > exceptions_;
  try {
    call([this, failing] {
      // A procedure can only roll back with the snapshots and connections that it began with. What an error jumped
      // out of may have left its own snapshots on top of ours.
      while (failing && ActiveSnapshotSet() && GetActiveSnapshot() != snapshot_) PopActiveSnapshot();
      if (ActiveSnapshotSet()) PopActiveSnapshot();
      AtEOXact_GUC(!failing, guc_level_);
      SPI_finish();
    });
  } catch (const PgError&) {
    // Only a transaction that has failed already cannot be left in order.
    return;
  }
}

Argument text_argument(std::string_view value) {
  return {
      call([&] { return PointerGetDatum(cstring_to_text_with_len(value.data(), static_cast<int>(value.size()))); })};
}

Argument bigint_array(std::span<const std::int64_t> values) {
  return {call([&] {
    auto* elements = static_cast<Datum*>(palloc(sizeof(Datum) * (values.size() + 1)));
    for (std::size_t i = 0; i < values.size(); i++) elements[i] = Int64GetDatum(values[i]);
    return PointerGetDatum(construct_array(elements, static_cast<int>(values.size()), INT8OID, sizeof(int64),
                                           FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
  })};
}

Argument text_array(std::span<const std::string> values) {
  return {call([&] {
    auto* elements = static_cast<Datum*>(palloc(sizeof(Datum) * (values.size() + 1)));
    for (std::size_t i = 0; i < values.size(); i++) {
      elements[i] = PointerGetDatum(cstring_to_text_with_len(values[i].data(), static_cast<int>(values[i].size())));
    }
    return PointerGetDatum(
        construct_array(elements, static_cast<int>(values.size()), TEXTOID, -1, false, TYPALIGN_INT));
  })};
}

TimestampTz to_timestamp(std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds> time) {
  constexpr std::int64_t kEpochDifference =
      static_cast<std::int64_t>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
  return time.time_since_epoch().count() - kEpochDifference;
}

NullableDatum Rows::datum(std::size_t row, int column) const {
  NullableDatum found{Datum{0}, false};
  found.value = get(row, column, &found.isnull);
  return found;
}

std::size_t Rows::size() const { return SPI_tuptable != nullptr ? SPI_processed : 0; }

Datum Rows::get(std::size_t row, int column, bool* null) const {
  return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, null);
}

bool Rows::null(std::size_t row, int column) const {
  bool null = false;
  get(row, column, &null);
  return null;
}

std::int64_t Rows::bigint(std::size_t row, int column) const {
  bool null = false;
  return DatumGetInt64(get(row, column, &null));
}

std::int32_t Rows::integer(std::size_t row, int column) const {
  bool null = false;
  return DatumGetInt32(get(row, column, &null));
}

bool Rows::boolean(std::size_t row, int column) const {
  bool null = false;
  return DatumGetBool(get(row, column, &null));
}

TimestampTz Rows::timestamp(std::size_t row, int column) const {
  bool null = false;
  return DatumGetTimestampTz(get(row, column, &null));
}

std::string Rows::text(std::size_t row, int column) const {
  bool null = false;
  Datum const value = get(row, column, &null);
  if (null) return {};
  auto* plain = call([&] { return PG_DETOAST_DATUM_PACKED(value); });
  std::string copy(VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain));
  if (PointerGetDatum(plain) != value) pfree(plain);
  return copy;
}

template <class Run>
std::uint64_t Statement::run(std::initializer_list<Argument> arguments, Run&& plan) {
  std::array<Datum, kMostArguments> values{};
  std::array<char, kMostArguments> nulls{};
  std::size_t count = 0;
  for (Argument const& argument : arguments) {
    values.at(count) = argument.value;
    nulls.at(count) = argument.null ? 'n' : ' ';
    count++;
  }
  return call([&] {
    if (plan_ == nullptr) plan_ = prepare(sql_, types_);
    return processed(plan(values.data(), nulls.data()));
  });
}

std::uint64_t Statement::execute(std::initializer_list<Argument> arguments) {
  return run(arguments,
             [&](Datum* values, const char* nulls) { return SPI_execute_plan(plan_, values, nulls, false, 0); });
}

std::uint64_t Statement::read(std::initializer_list<Argument> arguments) {
  return run(arguments,
             [&](Datum* values, const char* nulls) { return SPI_execute_plan(plan_, values, nulls, true, 0); });
}

std::uint64_t Statement::read_latest(std::initializer_list<Argument> arguments) {
  return run(arguments, [&](Datum* values, const char* nulls) {
    CommandCounterIncrement();
    Snapshot const latest = RegisterSnapshot(GetLatestSnapshot());
    int const result = SPI_execute_snapshot(plan_, values, nulls, latest, InvalidSnapshot, true, false, 0);
    UnregisterSnapshot(latest);
    return result;
  });
}

OwnedStatement::~OwnedStatement() {
  if (plan_ != nullptr) SPI_freeplan(plan_);
}

std::uint64_t OwnedStatement::execute(std::span<const Datum> values) {
  return call([&] {
    if (plan_ == nullptr) plan_ = prepare(sql_.c_str(), types_);
    return processed(SPI_execute_plan(plan_, const_cast<Datum*>(values.data()), nullptr, false, 0));
  });
}

}  // namespace audiostore::pg
