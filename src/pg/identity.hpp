// Acting as the owner of the extension's tables, for functions that check the caller's rights on a store
// themselves and then touch tables the caller may not. Restores the user when the scope ends; an error restores
// it too, as every (sub)transaction abort does.
#pragma once

#include <cstdint>

#include "pg/guard.hpp"

namespace audiostore::pg {

class AsExtensionOwner {
 public:
  AsExtensionOwner();
  ~AsExtensionOwner() { SetUserIdAndSecContext(user_, security_context_); }
  AsExtensionOwner(const AsExtensionOwner&) = delete;
  AsExtensionOwner& operator=(const AsExtensionOwner&) = delete;

 private:
  Oid user_ = InvalidOid;
  int security_context_ = 0;
};

// The oid of a relation of schema audiostore; 0 when it does not exist (the extension is being dropped). `name` is a
// literal.
Oid own_relation(const char* name);
// Changes whenever one of the relations that were asked for may have changed.
std::uint64_t own_relations_generation();

}  // namespace audiostore::pg
