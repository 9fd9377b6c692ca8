#include "temporary/row.hpp"

#include "pg/statement.hpp"

namespace audiostore::temporary {
namespace {

std::string in_words(TimestampTz time) {
  return pg::call([time] { return timestamptz_to_str(time); });
}

}  // namespace

std::optional<Row> lock_row(std::string_view store, std::string_view key) {
  static pg::Statement statement(
      "SELECT state, expires_at, promoted_to_store, promoted_to, operation_id FROM audiostore.temporary_objects "
      "WHERE key = $1 AND store = $2 FOR NO KEY UPDATE",
      {TEXTOID, TEXTOID});
  if (statement.execute({pg::text_argument(key), pg::text_argument(store)}) == 0) return std::nullopt;
  pg::Rows const rows = statement.rows();
  Row row;
  row.store = store;
  row.key = key;
  row.state = rows.text(0, 1);
  row.expires_at = rows.timestamp(0, 2);
  row.promoted_to_store = rows.text(0, 3);
  row.promoted_to = rows.text(0, 4);
  if (!rows.null(0, 5)) row.operation = rows.bigint(0, 5);
  return row;
}

std::string described(std::string_view store, std::string_view key) {
  return "temporary object \"" + std::string(key) + "\" of store \"" + std::string(store) + "\"";
}

void throw_unknown(std::string_view store, std::string_view key) {
  throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, described(store, key) + " does not exist",
                     "It was never made, or its lease ended some time ago.",
                     "Keys come from audiostore.create_temporary_object().");
}

void throw_not_leased(const Row& row) {
  std::string const what = described(row.store, row.key);
  if (row.state == "released") {
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, what + " was released", {},
                       "Make another one with audiostore.create_temporary_object().");
  }
  if (row.state == "leased" || row.state == "expired") {
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, what + " has expired",
                       "Its lease ended at " + in_words(row.expires_at) + ".",
                       "Ask for a longer ttl, or for more time with audiostore.extend_temporary_object().");
  }
  std::string const to = " \"" + row.promoted_to + "\" of store \"" + row.promoted_to_store + "\"";
  if (row.state == "promoted") {
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, what + " was promoted",
                       "It has become object" + to + ".", "Use that, or copy it with audiostore.copy_object().");
  }
  throw pg::SqlError(
      ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
      what + (row.state == "failed" ? " could not be promoted yet" : " is being promoted"),
      "It is to become object" + to + ".",
      "SELECT audiostore.cancel_operation(" + std::to_string(row.operation) + ") makes it a temporary object again.");
}

}  // namespace audiostore::temporary
