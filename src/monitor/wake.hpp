// What backends tell others by the way: there is work for a database's worker, there are rows in more tables. Safe at
// commit: takes one shared lock at most, allocates nothing, never fails.
#pragma once

#include <cstdint>

#include "pg/pg.hpp"

namespace audiostore::monitor {

// Sets the latch of this database's worker. False when there is none (or the library is not preloaded).
bool wake(Oid database) noexcept;

// Counts statements that added rows to tables whose rows name their store, in all databases: while it stays the same,
// such a table that was empty has no committed row. rows_added() is 0 where the library is not preloaded.
void note_rows_added() noexcept;
std::uint64_t rows_added() noexcept;

}  // namespace audiostore::monitor
