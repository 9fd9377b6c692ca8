// What the outbox does once for each transaction, however many operations it queued: wake the worker after the
// commit, and let grace periods count from the commit.
#pragma once

#include <cstdint>
#include <string_view>

#include "outbox/grace.hpp"

namespace audiostore::outbox {

// Registers the transaction callback; from _PG_init.
void init();

// This transaction queued operations with these ids.
void note_queued(std::string_view store, Grace grace, std::int64_t first_id, std::int64_t last_id);

}  // namespace audiostore::outbox
