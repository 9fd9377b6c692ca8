// One short transaction with everything that our own statements need.
#pragma once

#include "pg/identity.hpp"
#include "pg/memory_scope.hpp"
#include "pg/statement.hpp"
#include "pg/transactions.hpp"

namespace audiostore::pg {

// Runs body as the owner of the extension's tables; what it allocates goes at the end. `name` is a literal, for
// pg_backend_memory_contexts.
template <class F>
void in_own_transaction(Transactions& transactions, const char* name, F&& body) {
  transactions.run([&] {
    Spi const spi;
    AsExtensionOwner const owner;
    MemoryScope const memory(name);
    body();
  });
}

}  // namespace audiostore::pg
