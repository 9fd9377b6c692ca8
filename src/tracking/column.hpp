// A tracked column as track() recorded it, and what becomes of it for one table: attribute numbers, the compiled
// liveness expression, the index that finds keys.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pg/pg.hpp"
#include "tracking/liveness.hpp"

namespace audiostore::tracking {

// A row of audiostore.tracked_columns.
struct TrackedColumn {
  Oid relation = InvalidOid;
  std::string key_column;
  std::string store;         // either this one
  std::string store_column;  // or this one
  std::string size_column;   // may be empty
  std::string checksum_column;  // may be empty
  std::string live_when = "true";

  bool store_by_row() const { return store.empty(); }
};

struct CompiledColumn {
  AttrNumber key = InvalidAttrNumber;
  AttrNumber store = InvalidAttrNumber;  // invalid: the same store for all rows
  bool store_is_name = false;            // of type name, else of type text or varchar
  Liveness liveness;
  Oid owner = InvalidOid;              // of the table
  Oid index = InvalidOid;              // finds rows by key; invalid when there is none
  RegProcedure equality = InvalidOid;  // the index's function for equality

  // Whether an UPDATE that sets these columns (offset as PostgreSQL does) can change who holds what.
  bool depends_on(const Bitmapset* updated) const;
};

// Throws a clear error when the table does not have what the tracked column needs.
CompiledColumn compile_column(Relation relation, const TrackedColumn& column);

// An index of the table that answers equality on this column: valid, complete, the column first. Prefers the
// narrowest one.
Oid find_key_index(Relation relation, AttrNumber key);

std::string relation_name(Oid relation);   // for messages; qualified where needed
std::string quote(std::string_view name);  // "name"

}  // namespace audiostore::tracking
