// Following DDL on tracked tables.
#pragma once

namespace audiostore::tracking {

void install_drop_hook();

}  // namespace audiostore::tracking
