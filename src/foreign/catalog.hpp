// Stores in PostgreSQL's catalogs: a foreign server of the wrapper audiostore and its user mappings.
#pragma once

#include <string>
#include <string_view>

#include "pg/pg.hpp"
#include "store/config.hpp"

namespace audiostore::foreign {

struct StoreHandle {
  Oid server = InvalidOid;
  Oid owner = InvalidOid;
  std::string name;
};

// Throws SqlError 42704 (undefined object, with a hint that names the stores there are) when missing, and
// 42809 when the server belongs to another wrapper.
StoreHandle find_store(std::string_view name);
StoreHandle find_store(Oid server);

// The store named, or the one of the setting audiostore.default_store when the name is empty (SQL NULL). Throws 22004
// when there is neither.
StoreHandle find_store_or_default(std::string_view name_or_empty);

// Throws 42501 unless the role has USAGE on the server.
void check_usage(const StoreHandle& store, Oid role);

// The user mapping that holds for this role, its own or PUBLIC's; InvalidOid when there is none.
Oid find_mapping(const StoreHandle& store, Oid user);

// Options of server and user mapping (that of `user`, else PUBLIC's), read and checked.
store::Config load_config(const StoreHandle& store, Oid user);

// Records that this database of this cluster looks after the store, unless somebody is recorded already.
void claim_if_unclaimed(const StoreHandle& store);
// False when another cluster or database is recorded: nothing destructive may run.
bool claimed_here(const StoreHandle& store);

}  // namespace audiostore::foreign
