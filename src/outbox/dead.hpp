// Operations that were given up.
#pragma once

#include <cstdint>

namespace audiostore::outbox {

// Removes a dead operation, and leaves alone whatever it may have written: there may have been another object under its
// key before. False when it is not dead, or not there. Acting as the owner of the extension's tables.
bool drop_dead(std::int64_t id);

}  // namespace audiostore::outbox
