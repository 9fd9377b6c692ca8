#pragma once

namespace audiostore::temporary {

// From _PG_init: promotions hear what becomes of their moves.
void init();

}  // namespace audiostore::temporary
