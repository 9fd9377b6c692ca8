// What one row says about one tracked column: does it own an object, which key, in which store.
#pragma once

#include <optional>
#include <string_view>

#include "pg/pg.hpp"
#include "tracking/column.hpp"
#include "tracking/rights.hpp"

namespace audiostore::tracking {

// Points into the row, or into memory that the next call of read() frees.
struct LiveKey {
  std::string_view key;
  std::string_view store;

  bool operator==(const LiveKey&) const = default;
};

class RowReader {
 public:
  RowReader(const TrackedColumn& column, const CompiledColumn& compiled);
  ~RowReader();
  RowReader(const RowReader&) = delete;
  RowReader& operator=(const RowReader&) = delete;

  // False when the row is not live, or names no key or no store.
  bool read(TupleTableSlot* row, LiveKey& found) {
    return pg::call([&] { return read_in_backend(row, found); });
  }
  // The same for callers that are inside pg::call already.
  bool read_in_backend(TupleTableSlot* row, LiveKey& found);

 private:
  std::string_view text_of(Datum value);
  bool is_live(TupleTableSlot* row);
  ExprContext* context();

  const TrackedColumn& column_;
  const CompiledColumn& compiled_;
  ExprContext* context_ = nullptr;
  ExprState* liveness_ = nullptr;
};

// Sheds the user's rights while rows of this column are read, if its live_when runs anything that is not built in.
class Reading {
 public:
  explicit Reading(const CompiledColumn& compiled) {
    if (!compiled.liveness.trusted) rights_.emplace(compiled.owner);
  }

 private:
  std::optional<OwnersRights> rights_;
};

}  // namespace audiostore::tracking
