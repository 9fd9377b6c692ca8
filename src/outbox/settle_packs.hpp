// The part of settling that is about packs.
#pragma once

#include <cstdint>
#include <vector>

#include "outbox/settle.hpp"

namespace audiostore::outbox {

// Inside the caller's transaction.
void settle_packs(const std::vector<PackOutcome>& packs);

void extend_pack_leases(const std::vector<std::int64_t>& ids, TimePoint until);

}  // namespace audiostore::outbox
