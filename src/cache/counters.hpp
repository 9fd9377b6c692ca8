// What was counted in shared memory, added to the row of this hour in audiostore.cache_counters.
#pragma once

namespace audiostore::cache {

void save_counters();

}  // namespace audiostore::cache
