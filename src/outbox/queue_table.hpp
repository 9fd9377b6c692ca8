// The heap and indexes of audiostore.operations, for code that cannot afford the executor. Rows of other
// transactions in progress are seen (SnapshotDirty): that is what makes the races in DESIGN 5 decidable
// without locks on keys.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pg/guard.hpp"

namespace audiostore::outbox {

// Columns of audiostore.operations, in the order of operations.sql.
namespace column {
enum : AttrNumber {
  id = 1,
  enqueued_at,
  not_before,
  leased_until,
  attempts,
  claimed_by,
  in_doubt,
  kind,
  state,
  store,
  key,
  target_store,
  target,
  reason,
  last_error,
  options,
  payload,
  count = payload
};
}

struct QueueRow {
  Datum values[column::count] = {};
  bool nulls[column::count] = {};

  QueueRow() { std::fill(std::begin(nulls), std::end(nulls), true); }
  void set(AttrNumber attribute, Datum value) {
    values[attribute - 1] = value;
    nulls[attribute - 1] = false;
  }
};

// What became of the pending delete of a key that somebody wants back.
enum class TakenBack {
  none,      // there was none
  taken,     // it is gone
  running,   // it is on the wire
  in_doubt,  // an earlier attempt may have reached the store
};

// Where claims have come to in a store: rows up to there are not looked at again.
struct Position {
  TimestampTz not_before = DT_NOBEGIN;
  std::int64_t id = 0;
};

struct DueRows {
  std::string_view store;
  TimestampTz now;
  TimestampTz lease_until;
  Position after;
  std::size_t limit;
};

// The version of a row that a claim wrote.
struct ClaimedRow {
  std::int64_t id = 0;
  ItemPointerData tid{};
};

struct ClaimedDelete {
  ClaimedRow row;
  TimestampTz not_before = 0;
  int attempts = 0;  // this one included
  bool in_doubt = false;
  std::string key;
};

// A lookup can take back and find, not insert or claim: it opens one index instead of all, which every statement that
// inserts a tracked row would feel. For `deletes` only, the indexes of other operations stay closed.
enum class Use { lookup, deletes, write };

class QueueTable {
 public:
  explicit QueueTable(Use use);
  ~QueueTable();
  QueueTable(const QueueTable&) = delete;
  QueueTable& operator=(const QueueTable&) = delete;

  // In rising order.
  std::vector<std::int64_t> next_ids(std::size_t count);

  // Inserts rows that differ in id and key only where there are several. For deletes, sees to it that one
  // pending delete is left for each key; returns how many rows stayed.
  std::int64_t insert(std::span<QueueRow> rows, bool deletes);

  // Removes the pending delete of this key, waiting for whoever has it locked.
  TakenBack take_back_delete(std::string_view store, std::string_view key);

  // No visible operation is of another kind.
  bool only_deletes();

  // Marks deletes that are due as running by this process, in the order in which they are due, and passes over what
  // others have locked or claimed, and over other kinds.
  void claim_deletes(const DueRows& due, std::vector<ClaimedDelete>& claimed);

  // Removes rows that this process claimed. Returns the ids of those that are not where the claim left them.
  std::vector<std::int64_t> remove_claimed(std::span<const ClaimedRow> rows);

  // Id of the visible pending or running delete of this key.
  std::optional<std::int64_t> find_delete(std::string_view store, std::string_view key);

  // Another operation than a delete is queued or under way for this key, or a transaction is about to queue one.
  bool has_other(std::string_view store, std::string_view key);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace audiostore::outbox
