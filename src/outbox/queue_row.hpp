// A row of audiostore.operation_rows as an array of its columns.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

#include "pg/guard.hpp"

namespace audiostore::outbox {

// Columns of audiostore.operation_rows, in the order of operations.sql.
namespace column {
enum : AttrNumber {
  id = 1,
  enqueued_at,
  not_before,
  leased_until,
  attempts,
  claimed_by,
  in_doubt,
  kind,
  state,
  store,
  key,
  target_store,
  target,
  reason,
  last_error,
  options,
  payload,
  count = payload
};
}

struct QueueRow {
  Datum values[column::count] = {};
  bool nulls[column::count] = {};

  QueueRow() { std::fill(std::begin(nulls), std::end(nulls), true); }
  void set(AttrNumber attribute, Datum value) {
    values[attribute - 1] = value;
    nulls[attribute - 1] = false;
  }
};

// Of a text that is not compressed, as all are that a row here is made of.
inline std::string_view text_of(Datum value) {
  const auto* const text = reinterpret_cast<const struct varlena*>(DatumGetPointer(value));
  return {VARDATA_ANY(text), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(text))};
}

inline bool text_equals(Datum value, std::string_view expected) { return text_of(value) == expected; }

// Inside pg::call.
inline Datum make_text(std::string_view value) {
  return PointerGetDatum(cstring_to_text_with_len(value.data(), static_cast<int>(value.size())));
}

}  // namespace audiostore::outbox
