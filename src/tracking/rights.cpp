#include "tracking/rights.hpp"

namespace audiostore::tracking {

PinnedSearchPath::PinnedSearchPath() {
  pg::call([this] {
    level_ = NewGUCNestLevel();
    set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                      false);
  });
}

PinnedSearchPath::~PinnedSearchPath() {
  // While an error unwinds, the abort that follows restores the settings.
  if (!pg::PgError::any_alive()) AtEOXact_GUC(true, level_);
}

OwnersRights::OwnersRights(Oid owner) {
  GetUserIdAndSecContext(&user_, &security_context_);
  SetUserIdAndSecContext(owner, security_context_ | SECURITY_RESTRICTED_OPERATION);
}

OwnersRights::~OwnersRights() { SetUserIdAndSecContext(user_, security_context_); }

}  // namespace audiostore::tracking
