// Called once from _PG_init: hears of changes to servers, user mappings and roles.
#pragma once

namespace audiostore::foreign {

void init();

}  // namespace audiostore::foreign
