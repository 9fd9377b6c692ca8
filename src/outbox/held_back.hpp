// Operations that are queued now, so that their keys' order is settled, but may begin only when something else is done.
// They are due at infinity; nothing but a word of whoever queued them (or retry_operation()) lets them go.
#pragma once

#include <cstdint>

#include "outbox/enqueue.hpp"

namespace audiostore::outbox {

std::int64_t enqueue_held_back(NewOperation operation);

// Due at once. Nothing happens when it is not there any more.
void let_go(std::int64_t id);

// Out of the queue, without having begun.
void drop_held_back(std::int64_t id);

// Queued, under way or dead.
bool still_there(std::int64_t id);

}  // namespace audiostore::outbox
