// Shared memory that a feature has for each of a few databases. A slot is plain data, all zeros when nobody has it, and
// begins with the members `database` and `table`: whose it is, and a table that another one replaces when the extension
// is dropped and created again.
#pragma once

#include <span>

#include "monitor/shared.hpp"

namespace audiostore::monitor {

inline bool database_exists(Oid database) {
  return pg::call([&] { return SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(database)); });
}

// The slot of this database, which is made one where that is due: clear(slot, table), under the lock, gives it
// `database` and `table` and a fresh start. A database that was dropped makes room. Null where there is none left.
template <class Slot, std::size_t kCount, class Clear>
Slot* find_database_slot(std::span<Slot, kCount> slots, Oid table, Clear&& clear) {
  Oid owners[kCount];
  for (int pass = 0; pass < 2; pass++) {
    bool gone[kCount] = {};
    for (std::size_t i = 0; pass == 1 && i < kCount; i++) gone[i] = !database_exists(owners[i]);
    Locked const locked;
    Slot* free = nullptr;
    for (std::size_t i = 0; i < kCount; i++) {
      if (slots[i].database == MyDatabaseId) {
        if (slots[i].table != table) clear(slots[i], table);
        return &slots[i];
      }
      if (slots[i].database == InvalidOid || (gone[i] && slots[i].database == owners[i])) free = &slots[i];
      owners[i] = slots[i].database;
    }
    if (free == nullptr) continue;
    clear(*free, table);
    return free;
  }
  return nullptr;
}

}  // namespace audiostore::monitor
