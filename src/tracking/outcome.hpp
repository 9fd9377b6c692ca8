// What changes of tracked rows mean for the outbox.
#pragma once

#include "tracking/holders.hpp"
#include "tracking/keys.hpp"

namespace audiostore::tracking {

// Whose rows these are, and why they changed.
struct Change {
  Oid relation = InvalidOid;
  std::string_view key_column;
  Oid owner = InvalidOid;
  bool stores_by_row = false;  // the store came out of the rows, so it may be any name
  const char* reason = "";
  Purpose purpose = Purpose::queueing;
};

// Rows hold these keys now: pending deletes of them are taken back. Throws 42704 for an unknown store, 42501 for one
// that the table's owner may not use, 55006 when an object is being deleted at this moment.
void hold(Keys& keys, const Change& change);

// Rows let go of these keys: deletes are queued for those that nobody else holds for certain. Stores that the rows
// name in vain are passed over, so that such rows can be cleaned up.
void let_go(Keys& keys, const Change& change);

// let_go() for all live rows of a table that is about to go, in batches.
void let_go_of_table(Oid relation, const char* reason);
// Only those of one tracked column.
void let_go_of_column(Oid relation, std::string_view key_column, const char* reason);

// Takes back the pending deletes in these stores (all stores when empty) whose keys are held by live rows, as when
// a table with rows becomes tracked.
void take_back_held_deletes(std::string_view store);

}  // namespace audiostore::tracking
