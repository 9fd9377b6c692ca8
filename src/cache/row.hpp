// Writing rows of the cache straight into a segment and its indexes. All of it inside pg::call.
#pragma once

#include "cache/segments.hpp"

namespace audiostore::cache {

struct Row {
  Datum values[column::count] = {};
  bool nulls[column::count] = {};

  Row() { std::fill(std::begin(nulls), std::end(nulls), true); }
  void set(AttrNumber attribute, Datum value) {
    values[attribute - 1] = value;
    nulls[attribute - 1] = false;
  }
};

struct Written {
  ItemPointerData tid{};
  bool first_on_page = false;
  std::int64_t entries = 0;  // of the segment, roughly; with first_on_page
  std::int64_t bytes = 0;    // in use of the segment's files; with first_on_page
};

// The segment is locked for writing, and the key noted. In bulk: who inserts many rows and has the segment mostly to
// itself does not ask where there is room, but fills the last page and goes on; unless pages can be used again.
enum class Amount { single, bulk };
Written insert_row(int segment, Row& row, Amount amount);

// Waits for whoever else is changing the row. False when it has become another version meanwhile.
bool delete_row(Relation heap, ItemPointer tid, bool wait);

// Nobody else puts, moves or inserts this key until the transaction ends. When a transaction holds very many of these
// locks it takes one for all keys instead, if it can have it.
bool lock_key(std::uint64_t hash, bool wait);

}  // namespace audiostore::cache
