// What an expiry policy does with old objects, inside the caller's transaction: those that nobody holds and nothing is
// queued for get a delete in the outbox, with all that this means (grace period, another look at live rows, retries).
#pragma once

#include <span>
#include <vector>

#include "lifecycle/policy.hpp"
#include "store/store.hpp"

namespace audiostore::lifecycle {

// Those that may go: no row holds or is about to hold them, no operation on them is queued.
std::vector<const store::ObjectInfo*> removable_of(std::string_view store,
                                                   std::span<const store::ObjectInfo* const> expired);

// Queues their deletes.
void queue_deletes(const Policy& policy, std::span<const store::ObjectInfo* const> removable);

// Operations of the store that are due, counted up to a limit.
std::size_t operations_due(std::string_view store, std::size_t limit);

std::int64_t bytes_of(std::span<const store::ObjectInfo* const> objects);

}  // namespace audiostore::lifecycle
