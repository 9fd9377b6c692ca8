#pragma once

#include "pg/pg.hpp"

namespace audiostore::pg {

// Whether this process holds this very lock. Since 17 PostgreSQL can be asked about stronger ones as well.
inline bool lock_held(const LOCKTAG& tag, LOCKMODE mode) {
#if PG_VERSION_NUM >= 170000
  return LockHeldByMe(&tag, mode, false);
#else
  return LockHeldByMe(&tag, mode);
#endif
}

}  // namespace audiostore::pg
