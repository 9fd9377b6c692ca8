// Operations that were given up.
#pragma once

#include <cstdint>
#include <string>

namespace audiostore::outbox {

// Removes a dead operation, and leaves alone whatever it may have written: there may have been another object under its
// key before. False when it is not dead, or not there.
bool drop_dead(std::int64_t id);

void clear_alert_when_none_dead(const std::string& store);

}  // namespace audiostore::outbox
