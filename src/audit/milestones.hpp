// What the planner knows of the key columns of a store: how many keys there are, and where they lie.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/key_span.hpp"
#include "pg/guard.hpp"

namespace audiostore::audit {

struct KeyStatistics {
  std::vector<Milestone> milestones;
  double rows = 0;  // of all tables that can hold keys of this store
};

// Inside a transaction, as the owner of the extension.
KeyStatistics key_statistics(std::string_view store);

}  // namespace audiostore::audit
