// The provider `local`: a directory of the database server's machine as a store.
#pragma once

#include "store/config.hpp"

namespace audiostore::store::local {

extern const Provider kLocalProvider;

}  // namespace audiostore::store::local
