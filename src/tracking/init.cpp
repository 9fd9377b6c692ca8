#include "tracking/init.hpp"

#include "tracking/ddl.hpp"
#include "tracking/registry.hpp"

namespace audiostore::tracking {

void init() {
  Registry::register_callbacks();
  install_drop_hook();
}

}  // namespace audiostore::tracking
