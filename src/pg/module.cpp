// What PostgreSQL loads: the magic block and one init call per feature, in the order in which they build on each other.
// In the postmaster (shared_preload_libraries) nothing here may open a socket, start a thread or touch a catalog.
#include "pg/pg.hpp"

#include "foreign/init.hpp"
#include "outbox/transaction_end.hpp"
#include "pg/guard.hpp"
#include "pg/settings.hpp"
#include "temporary/init.hpp"
#include "tracking/init.hpp"
#include "worker/init.hpp"

extern "C" {
PG_MODULE_MAGIC;

// PostgreSQL looks for this name.
PGDLLEXPORT void _PG_init();  // NOLINT(bugprone-reserved-identifier)
void _PG_init() {             // NOLINT(bugprone-reserved-identifier)
  using namespace audiostore;
  pg::guarded([] {
    pg::settings_init();
    foreign::init();
    outbox::init();
    tracking::init();
    temporary::init();
    worker::init();
  });
}
}
