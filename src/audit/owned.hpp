// An audit that somebody wants to do something about.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.hpp"
#include "pg/guard.hpp"

namespace audiostore::audit {

struct OwnedAudit {
  std::int64_t id = 0;
  std::string store;
  std::string prefix;
  std::string state;
  bool complete = false;
  std::int64_t objects = 0;
  TimePoint cutoff{};  // as of when objects were old enough
  std::string error;
};

// Throws 42704 when there is none and 42501 unless the caller has the rights of its owner. As the owner of the extension.
OwnedAudit owned_audit(std::int64_t id, Oid caller);

}  // namespace audiostore::audit
