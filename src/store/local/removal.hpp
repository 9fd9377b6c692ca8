// Removing objects in batches, and the directories that they leave empty.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "store/local/root.hpp"

namespace audiostore::store::local {

// One outcome for each key, in the order given; none means that the object is gone, durably.
std::vector<std::optional<Error>> remove_files(const Root& root, const std::vector<std::string>& keys);

}  // namespace audiostore::store::local
