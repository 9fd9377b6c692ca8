#include "lifecycle/retention.hpp"

#include <array>

#include "pg/statement.hpp"
#include "pg/subtransaction.hpp"
#include "pg/time.hpp"
#include "tracking/rights.hpp"

namespace audiostore::lifecycle {
namespace {

constexpr std::size_t kBatch = 1000;
constexpr std::array<Oid, 4> kFindTypes{TIMESTAMPTZOID, TIMESTAMPTZOID, TIDOID, INT8OID};
constexpr std::array<Oid, 1> kChangeTypes{TIDARRAYOID};
constexpr std::int64_t kMostKept = 1000;
// Somebody who changes the table's definition does not hold up everything else that a worker does.
constexpr const char* kLockTimeout = "2s";

// What the policy says, as its owner, in a transaction of ours; the lock timeout ends with the transaction's Spi.
std::uint64_t execute(const std::string& sql, std::span<const Oid> types, std::span<const Datum> values) {
  return pg::call([&] {
    int const result =
        SPI_execute_with_args(sql.c_str(), static_cast<int>(types.size()), const_cast<Oid*>(types.data()),
                              const_cast<Datum*>(values.data()), nullptr, false, 0);
    if (result < 0) elog(ERROR, "could not run a policy: %s", SPI_result_code_string(result));
    return SPI_processed;
  });
}

void limit_waits() {
  pg::call([] {
    set_config_option("lock_timeout", kLockTimeout, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  });
}

std::vector<Oid> leaves_of(Oid relation) {
  std::vector<Oid> leaves;
  List* const tree = pg::call([&] { return find_all_inheritors(relation, AccessShareLock, nullptr); });
  for (int i = 0; i < list_length(tree); i++) {
    Oid const member = list_nth_oid(tree, i);
    if (pg::call([member] { return get_rel_relkind(member); }) == RELKIND_RELATION) leaves.push_back(member);
  }
  return leaves;
}

template <class Row>
Datum tid_array(std::span<const Row> rows) {
  return pg::call([&] {
    auto* const elements = static_cast<Datum*>(palloc(sizeof(Datum) * rows.size()));
    for (std::size_t i = 0; i < rows.size(); i++) elements[i] = PointerGetDatum(&rows[i].tid);
    return PointerGetDatum(construct_array(elements, static_cast<int>(rows.size()), TIDOID, sizeof(ItemPointerData),
                                           false, TYPALIGN_SHORT));
  });
}

}  // namespace

Retention::Retention(RowRule rule, Oid owner, TimePoint before)
    : rule_(std::move(rule)), owner_(owner), before_(pg::to_timestamptz(before)) {
  const char* const name = pg::call([&] { return get_rel_name(rule_.relation); });
  if (name == nullptr) {
    throw pg::SqlError(ERRCODE_UNDEFINED_TABLE,
                       "relation with OID " + std::to_string(rule_.relation) + " does not exist", {},
                       "Remove the policy.");
  }
  if (!pg::call([&] { return pg::owns_relation(rule_.relation, owner_); })) {
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                       std::string("the owner of the policy must be owner of table ") + name);
  }
  leaves_ = leaves_of(rule_.relation);
  ItemPointerSet(&tid_, 0, 0);
}

bool Retention::run_batch(RowCounts& counts) {
  if (leaves_.empty()) return false;
  Oid const leaf = leaves_.back();
  tracking::OwnersRights const rights(owner_);
  limit_waits();
  std::vector<Row> const rows = find(leaf);
  if (!rows.empty()) change(leaf, rows, counts);
  if (counts.kept > kMostKept) {
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "more than " + std::to_string(kMostKept) + " rows cannot be deleted or changed",
                       counts.row_error);
  }
  if (rows.size() < kBatch) {
    leaves_.pop_back();
    age_ = DT_NOBEGIN;
    ItemPointerSet(&tid_, 0, 0);
  }
  return !leaves_.empty();
}

std::vector<Retention::Row> Retention::find(Oid leaf) {
  std::array<Datum, 4> const values{TimestampTzGetDatum(before_), TimestampTzGetDatum(age_), PointerGetDatum(&tid_),
                                    Int64GetDatum(static_cast<std::int64_t>(kBatch))};
  std::size_t const found = execute(find_rows_sql(rule_, leaf), kFindTypes, values);
  pg::Rows const result;
  std::vector<Row> rows(found);
  for (std::size_t i = 0; i < found; i++) {
    rows[i].tid = *reinterpret_cast<ItemPointer>(DatumGetPointer(result.datum(i, 1).value));
    rows[i].bytes = result.null(i, 3) ? 0 : result.bigint(i, 3);
  }
  if (found > 0) {
    age_ = result.timestamp(found - 1, 2);
    tid_ = rows.back().tid;
  }
  return rows;
}

void Retention::change(Oid leaf, std::span<const Row> rows, RowCounts& counts) const {
  std::uint64_t changed = 0;
  auto const failure = pg::attempt([&] {
    // What would be checked at the end of the transaction would fail all of it, and must not run by itself here.
    execute("SET CONSTRAINTS ALL IMMEDIATE", {}, {});
    std::array<Datum, 1> const values{tid_array(rows)};
    changed = execute(change_rows_sql(rule_, leaf), kChangeTypes, values);
  });
  if (!failure) {
    counts.rows += static_cast<std::int64_t>(changed);
    // A trigger may have kept some.
    counts.kept += static_cast<std::int64_t>(rows.size() - std::min<std::size_t>(changed, rows.size()));
    for (Row const& row : rows) counts.bytes += row.bytes;
    return;
  }
  if (failure->sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || failure->sqlstate == ERRCODE_QUERY_CANCELED) {
    throw pg::SqlError(failure->sqlstate, failure->message, failure->detail, failure->hint);
  }
  if (rows.size() == 1) {
    counts.kept++;
    counts.row_error = failure->detail.empty() ? failure->message : failure->message + ": " + failure->detail;
    return;
  }
  if (counts.kept > kMostKept) return;
  change(leaf, rows.first(rows.size() / 2), counts);
  change(leaf, rows.subspan(rows.size() / 2), counts);
}

// EXPLAIN checks privileges too.
void Retention::check() const {
  tracking::OwnersRights const rights(owner_);
  ItemPointerData tid{};
  std::array<Datum, 4> const find{TimestampTzGetDatum(before_), TimestampTzGetDatum(before_), PointerGetDatum(&tid),
                                  Int64GetDatum(1)};
  execute("EXPLAIN " + find_rows_sql(rule_, rule_.relation), kFindTypes, find);
  std::array<Row, 1> const none{Row{.tid = tid, .bytes = 0}};
  std::array<Datum, 1> const change{tid_array(std::span<const Row>(none))};
  execute("EXPLAIN " + change_rows_sql(rule_, rule_.relation), kChangeTypes, change);
}

RowCounts Retention::count() const {
  tracking::OwnersRights const rights(owner_);
  constexpr std::array<Oid, 1> kTypes{TIMESTAMPTZOID};
  std::array<Datum, 1> const values{TimestampTzGetDatum(before_)};
  execute(count_rows_sql(rule_), kTypes, values);
  pg::Rows const result;
  return {.rows = result.bigint(0, 1), .bytes = result.bigint(0, 2), .kept = 0, .row_error = {}};
}

}  // namespace audiostore::lifecycle
