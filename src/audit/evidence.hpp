// What the database says about keys right now: who holds them, and what is queued for them. An audit looks twice, and
// at the object in between; only what is the same in both looks is reported.
//
// Why that is enough. One look takes, in this order: the live rows, of all tables under one snapshot; rows of
// transactions in progress; operations. Whoever takes a row away queues the delete of its object in the same
// transaction, and whoever adds a row for an object to come queues what brings it. So
//  - no row and no operation in a look: nobody spoke for the object at that moment, and no delete of it was on its way.
//    An object that was there before the look and is the same one after it (size, entity tag, time) was an orphan then.
//  - the same row (place and writer) in both looks, and no operation in either: the row held its key all the time, so
//    no delete could reach the object, and what was to bring it had done so before the first look. An object that was
//    absent, or another one than the row says, in between, is what is wrong.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/tracked_table.hpp"
#include "tracking/holders.hpp"

namespace audiostore::audit {

struct RowEvidence {
  Oid relation = InvalidOid;
  std::string key_column;
  ItemPointerData tid{};
  TransactionId xmin = InvalidTransactionId;
  std::optional<std::int64_t> size;
  std::string checksum;  // 32 octets, or empty

  bool same_row(const RowEvidence& other) const;
};

struct Evidence {
  tracking::Holding holding = tracking::Holding::none;
  std::vector<RowEvidence> rows;  // live ones, a few of each table
  bool delete_queued = false;     // or under way
  bool other_queued = false;      // put, copy, move or set_class of the key, as source or target
  std::string dead;               // the operation that was given up, for people

  bool held() const { return holding != tracking::Holding::none || !rows.empty(); }
};

// For keys that are distinct and in byte order, one entry each. None when a table is locked by somebody and the caller
// does not wait. Inside a transaction, as the owner of the extension.
std::optional<std::vector<Evidence>> look(std::string_view store, std::span<const std::string> keys, Waiting waiting);

}  // namespace audiostore::audit
