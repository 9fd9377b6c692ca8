#include "lifecycle/row_statements.hpp"

#include <array>

#include "pg/datum.hpp"
#include "pg/statement.hpp"

namespace audiostore::lifecycle {
namespace {

constexpr std::array<Oid, 4> kFindTypes{TIMESTAMPTZOID, TIMESTAMPTZOID, TIDOID, INT8OID};
constexpr const char* kLockTimeout = "2s";
constexpr const char* kShortestLockTimeout = "1ms";  // 0 would be: for ever

std::vector<Oid> leaves_of(Oid relation) {
  std::vector<Oid> leaves;
  List* const tree = pg::call([&] { return find_all_inheritors(relation, AccessShareLock, nullptr); });
  for (int i = 0; i < list_length(tree); i++) {
    Oid const member = list_nth_oid(tree, i);
    if (pg::call([member] { return get_rel_relkind(member); }) == RELKIND_RELATION) leaves.push_back(member);
  }
  return leaves;
}

}  // namespace

void check_kept(const RowCounts& counts) {
  if (counts.kept <= kMostKept) return;
  throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                     "more than " + std::to_string(kMostKept) + " rows cannot be deleted or changed", counts.row_error);
}

std::uint64_t execute(const std::string& sql, std::span<const Oid> types, std::span<const Datum> values) {
  return pg::call([&] {
    int const result =
        SPI_execute_with_args(sql.c_str(), static_cast<int>(types.size()), const_cast<Oid*>(types.data()),
                              const_cast<Datum*>(values.data()), nullptr, false, 0);
    if (result < 0) elog(ERROR, "could not run a policy: %s", SPI_result_code_string(result));
    return SPI_processed;
  });
}

void limit_waits(Wait wait) {
  const char* const longest = wait == Wait::briefly ? kLockTimeout : kShortestLockTimeout;
  pg::call([longest] {
    set_config_option("lock_timeout", longest, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  });
}

bool has_index_on(Oid relation, const std::string& column) {
  static pg::Statement find(
      "SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
      " WHERE i.indrelid = $1 AND a.attname = $2 AND i.indisvalid AND i.indpred IS NULL",
      {OIDOID, TEXTOID});
  return find.execute({ObjectIdGetDatum(relation), pg::text_argument(column)}) > 0;
}

void check_owned(Oid relation, Oid owner) {
  const char* const name = pg::call([&] { return get_rel_name(relation); });
  if (name == nullptr) {
    throw pg::SqlError(ERRCODE_UNDEFINED_TABLE, "relation with OID " + std::to_string(relation) + " does not exist", {},
                       "Remove the policy.");
  }
  if (!pg::call([&] { return pg::owns_relation(relation, owner); })) {
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                       std::string("the owner of the policy must be owner of table ") + name);
  }
}

Datum tid_array(std::span<const ItemPointerData> tids) {
  return pg::call([&] {
    auto* const elements = static_cast<Datum*>(palloc(sizeof(Datum) * tids.size()));
    for (std::size_t i = 0; i < tids.size(); i++) elements[i] = PointerGetDatum(&tids[i]);
    return PointerGetDatum(construct_array(elements, static_cast<int>(tids.size()), TIDOID, sizeof(ItemPointerData),
                                           false, TYPALIGN_SHORT));
  });
}

Datum text_array_datum(std::span<const std::string> values) { return pg::text_array(values).value; }

RowWalk::RowWalk(Oid relation) : leaves_(leaves_of(relation)) {}

std::size_t RowWalk::find(const std::string& sql, TimestampTz before) {
  std::array<Datum, 4> const values{TimestampTzGetDatum(before), TimestampTzGetDatum(place_.age),
                                    PointerGetDatum(&place_.tid), Int64GetDatum(static_cast<std::int64_t>(kBatch))};
  std::size_t const found = execute(sql, kFindTypes, values);
  if (found > 0) {
    pg::Rows const rows;
    place_.tid = *reinterpret_cast<ItemPointer>(DatumGetPointer(rows.datum(found - 1, 1).value));
    place_.age = rows.timestamp(found - 1, 2);
  }
  return found;
}

void RowWalk::advance(std::size_t found) {
  if (found < kBatch) next_leaf();
}

void RowWalk::advance_to(std::optional<TimestampTz> age) {
  if (age) {
    place_ = {.age = *age, .tid = {}};
  } else {
    next_leaf();
  }
}

void RowWalk::next_leaf() {
  leaves_.pop_back();
  place_ = {};
}

}  // namespace audiostore::lifecycle
