#include "objects/target.hpp"

namespace audiostore::objects {

Target find_target(const pg::Arguments& arguments, int store_argument) {
  Oid const user = GetUserId();
  Target target;
  target.handle = foreign::find_store_or_default(arguments.name_or_empty(store_argument));
  foreign::check_usage(target.handle, user);
  target.open = foreign::open_store(target.handle, user);
  return target;
}

Target find_target(const pg::Arguments& arguments, int store_argument, int key_argument) {
  std::string_view const key = arguments.text(key_argument, "key");
  Target target = find_target(arguments, store_argument);
  target.key = key;
  target.store().check_key(key);
  return target;
}

}  // namespace audiostore::objects
