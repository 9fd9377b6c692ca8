// The moment in which rows change from one object to another, inside the caller's transaction.
#pragma once

#include <span>
#include <vector>

#include "lifecycle/moves.hpp"

namespace audiostore::lifecycle {

// Leads the rows of these moves, locked and looked at, over, and ends the moves; those whose rows are locked, or cannot
// be changed, are put off. Returns how many ended.
std::int64_t lead_over(std::span<const Move> moves);

}  // namespace audiostore::lifecycle
