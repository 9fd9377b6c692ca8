// Where the objects of a store go: what a tiering policy says, and what the stores can do.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "foreign/stores.hpp"
#include "lifecycle/tier_rule.hpp"

namespace audiostore::lifecycle {

struct Way {
  std::shared_ptr<foreign::OpenStore> to;  // move; none: the object stays
  std::string to_store;
  std::string storage_class;  // where it stays
};

// Throws SqlError when objects of this store cannot go where the policy says, or its owner may not send them.
Way find_way(const TierRule& rule, Oid owner, const std::string& store, const std::string& storage_class);

}  // namespace audiostore::lifecycle
