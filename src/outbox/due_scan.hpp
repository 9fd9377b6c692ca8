// The order in which what is queued is due, for claims: along an index on (store, not_before, id), of operation_rows or
// of operation_packs.
#pragma once

#include <cstdint>
#include <string_view>

#include "pg/guard.hpp"

namespace audiostore::outbox {

// Where claims have come to in a store: what lies before it is not looked at again.
struct Position {
  TimestampTz not_before = DT_NOBEGIN;
  std::int64_t id = 0;
};

struct DueRows {
  std::string_view store;
  TimestampTz now;
  TimestampTz lease_until;
  Position after;
  std::size_t limit;
};

// Inside pg::call; index_endscan() ends it.
IndexScanDesc begin_due_scan(Relation heap, Relation index, Snapshot snapshot, const DueRows& due);

}  // namespace audiostore::outbox
