// Called once from _PG_init: hears of changes to tracked tables, and of objects that are about to be dropped.
#pragma once

namespace audiostore::tracking {

void init();

}  // namespace audiostore::tracking
