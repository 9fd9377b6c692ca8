// Rules against figures: raises and clears the alerts that users asked for.
#pragma once

#include <cstdint>

namespace audiostore::watch {

// One look at every rule, in the caller's transaction; looks at the same time wait for each other. Returns how many
// alerts it raised or cleared.
std::int64_t evaluate_alerts();

}  // namespace audiostore::watch
