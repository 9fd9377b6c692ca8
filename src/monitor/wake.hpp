// Waking a database's worker from any backend. Safe at commit: takes one shared lock, allocates nothing, never fails.
#pragma once

#include "pg/pg.hpp"

namespace audiostore::monitor {

// Sets the latch of this database's worker. False when there is none (or the library is not preloaded).
bool wake(Oid database) noexcept;

}  // namespace audiostore::monitor
