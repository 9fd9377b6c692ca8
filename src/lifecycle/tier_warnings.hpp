// What the preview of a tiering policy warns of: rows counted as the policy's owner, prices as
// audiostore.storage_prices has them.
#pragma once

#include <string>
#include <vector>

#include "lifecycle/tier_rule.hpp"

namespace audiostore::lifecycle {

std::vector<std::string> tier_warnings(const TierRule& rule, Oid owner, TimestampTz before);

}  // namespace audiostore::lifecycle
