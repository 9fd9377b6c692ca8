// What happens to temporary objects by itself, batch by batch: leases end, what was uploaded after that is swept away,
// and rows that have become history go.
#pragma once

#include <cstdint>

#include "base/clock.hpp"
#include "pg/transactions.hpp"

namespace audiostore::temporary {

struct Expired {
  std::int64_t rows = 0;
  bool full = false;  // there may be more that is due
};

// Inside the caller's transaction. Rows that somebody has locked are passed over.
Expired expire_batch();

// When the next row is due; TimePoint::max() when none is. Inside the caller's transaction.
TimePoint next_due();

// All that is due, each batch in a transaction of its own. Returns how many rows that were.
std::int64_t expire_all(pg::Transactions& transactions);

}  // namespace audiostore::temporary
