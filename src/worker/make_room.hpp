// Hooks of every session: databases are left by their workers when a statement needs them without connections, and
// the launcher hears of CREATE and DROP EXTENSION.
#pragma once

namespace audiostore::worker {

// From _PG_init, when preloading.
void init_make_room();

}  // namespace audiostore::worker
