// The intervals that a policy is made with.
#pragma once

#include "pg/time.hpp"

namespace audiostore::lifecycle {

inline Datum checked_after(Datum value) {
  if (pg::to_microseconds(*DatumGetIntervalP(value)) > std::chrono::microseconds(0)) return value;
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "after must be positive");
}

inline Datum checked_schedule(Datum value) {
  if (pg::to_microseconds(*DatumGetIntervalP(value)) >= std::chrono::seconds(1)) return value;
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "schedule must be one second or longer");
}

}  // namespace audiostore::lifecycle
