// Alerts: conditions that somebody should look at, in the table audiostore.alerts. At most one is open per
// (name, subject). Raising and clearing are part of the caller's transaction; listeners of audiostore_alerts hear of
// a raised or cleared alert at its commit, once, however often it is raised.
#pragma once

#include <string_view>

namespace audiostore::monitor {

struct Alert {
  std::string_view name;     // what kind: 'store_paused', 'dead_operation'
  std::string_view subject;  // about what: a store, a table
  std::string_view message;  // never a secret
};

// True when the alert is new; false when it was open already (its message and count are brought up to date).
bool raise_alert(const Alert& alert);

// True when there was an open one.
bool clear_alert(std::string_view name, std::string_view subject);

}  // namespace audiostore::monitor
