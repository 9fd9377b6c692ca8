// Called once from _PG_init: registers the launcher, shared memory and hooks when the library is preloaded. Without
// preloading there is no worker, and CALL audiostore.run() does its work.
#pragma once

namespace audiostore::worker {

void init();

}  // namespace audiostore::worker
