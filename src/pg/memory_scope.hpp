// A memory context for the length of a C++ scope: palloc'ed data made in it goes with it.
#pragma once

#include "pg/guard.hpp"

namespace audiostore::pg {

class MemoryScope {
 public:
  explicit MemoryScope(const char* name) : outer_(CurrentMemoryContext) {
    call([&] {
      // The macro wants a literal name; the function behind it keeps the pointer, and ours are literals too.
      mine_ = AllocSetContextCreateInternal(outer_, name, ALLOCSET_DEFAULT_SIZES);
      MemoryContextSwitchTo(mine_);
    });
  }
  ~MemoryScope() {
    MemoryContextSwitchTo(outer_);
    MemoryContextDelete(mine_);
  }
  MemoryScope(const MemoryScope&) = delete;
  MemoryScope& operator=(const MemoryScope&) = delete;

 private:
  MemoryContext outer_;
  MemoryContext mine_ = nullptr;
};

}  // namespace audiostore::pg
