#include "worker/init.hpp"

#include "cache/shared.hpp"
#include "monitor/running.hpp"
#include "outbox/pending_summary.hpp"
#include "worker/launcher.hpp"
#include "worker/make_room.hpp"

namespace audiostore::worker {

void init() {
  // pg_upgrade starts servers whose databases are not to be touched.
  if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade) return;
  cache::init_shared();
  outbox::init_pending_summary();
  monitor::init_running();
  monitor::init_shared();
  register_launcher();
  init_make_room();
}

}  // namespace audiostore::worker
