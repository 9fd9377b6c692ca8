// Sequences, where nextval() is not enough.
#pragma once

#include <cstdint>

#include "pg/pg.hpp"

namespace audiostore::pg {

// Takes so many values at once, side by side, as no function of PostgreSQL does, and returns the first. For sequences
// that count by one. Inside pg::call.
std::int64_t take_from_sequence(Oid sequence, std::int64_t count);

}  // namespace audiostore::pg
