// What audit_store(), start_audit() and add_audit_policy() are asked for, checked.
#pragma once

#include <optional>
#include <string>

#include "foreign/catalog.hpp"
#include "pg/arguments.hpp"

namespace audiostore::audit {

struct Request {
  foreign::StoreHandle store;
  std::string prefix;  // bytes
  Datum min_age = 0;
  bool verify = false;
  double sample = 1;
};

// Arguments `store, prefix` from `first` on, and `min_age, verify, sample` from `rest` on. Throws 22023 and 22004 for
// what cannot be, 42501 unless the caller has USAGE on the store.
Request read_request(const pg::Arguments& arguments, int rest);

}  // namespace audiostore::audit
