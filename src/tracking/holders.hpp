// Who holds this key? One probe per tracked column of the store, through its index, that also sees rows of
// transactions still in progress (SnapshotDirty), so that nobody has to lock keys.
//
// Nothing here waits: a table that somebody has locked for DDL counts as "perhaps" (in_progress).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "pg/pg.hpp"

namespace audiostore::tracking {

enum class Holding {
  none,         // no row holds the key, and none is about to
  in_progress,  // a row that holds it is being inserted, or deleted, by a transaction that has not ended
  live,         // a committed live row holds it (or one of this transaction)
};

// What the answer is for.
enum class Purpose {
  claiming,  // to delete the object now: `none` is certain. Keeps track() out until the transaction ends.
  queueing,  // to decide whether a delete is worth queueing: `live` is certain, `none` is checked again when claimed
  leaving,   // the same while tables are dropped or truncated: tables locked exclusively by this transaction may be
             // going too, and do not count
};

// Keeps tables and indexes open: make one per batch of keys, inside one transaction.
class Holders {
 public:
  struct Scope {
    std::string_view store;
    // A relation (table or partition) that is being dropped or truncated, whose rows do not count.
    Oid without = InvalidOid;
    Purpose purpose = Purpose::claiming;
  };
  explicit Holders(const Scope& scope);
  ~Holders();
  Holders(const Holders&) = delete;
  Holders& operator=(const Holders&) = delete;

  // True when no column tracks this store at all.
  bool empty() const;
  Holding probe(std::string_view key);

  // Rows that the calling statement has just deleted from a table, or taken their keys from: so many for each key.
  // When the table's index has no more entries for a key than that, they are those rows', and no row has to be read.
  struct Released {
    Oid relation;
    std::string_view key_column;
    std::span<const std::uint32_t> rows;
  };
  // For keys in byte order; one table after the other, so cheaper than key by key.
  std::vector<Holding> probe(std::span<const std::string_view> keys);
  std::vector<Holding> probe(std::span<const std::string_view> keys, const Released& released);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace audiostore::tracking
