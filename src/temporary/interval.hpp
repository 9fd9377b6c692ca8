// How long a lease may be.
#pragma once

#include "pg/time.hpp"

namespace audiostore::temporary {

inline std::chrono::microseconds checked_ttl(Datum value) {
  constexpr std::chrono::hours kMost{24 * 366};
  auto const ttl = pg::to_microseconds(*DatumGetIntervalP(value));
  if (ttl > std::chrono::microseconds(0) && ttl <= kMost) return ttl;
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "ttl must be positive and 366 days at most");
}

}  // namespace audiostore::temporary
