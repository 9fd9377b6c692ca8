// The heap and indexes of audiostore.operation_rows, for code that cannot afford the executor. Rows of other
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

#include "outbox/queue_row.hpp"

namespace audiostore::outbox {

// What became of the pending delete of a key that somebody wants back.
enum class TakenBack {
  none,      // there was none
  taken,     // it is gone
  running,   // it is on the wire
  in_doubt,  // an earlier attempt may have reached the store
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
  // So many, side by side; the first.
  std::int64_t next_id_of(std::size_t count);

  // Inserts rows that differ in id and key only where there are several. For deletes, sees to it that one
  // pending delete is left for each key; returns how many rows stayed.
  std::int64_t insert(std::span<QueueRow> rows, bool deletes);

  // Removes the pending delete of this key, waiting for whoever has it locked.
  TakenBack take_back_delete(std::string_view store, std::string_view key);
  // The same for keys in byte order, most of which have none: calls found(index, what became of it) for the others.
  void take_back_deletes(std::string_view store, std::span<const std::string_view> keys,
                         const std::function<void(std::size_t, TakenBack)>& found);
  // A delete of this key is under way that cannot be replaced, and another one was asked for: what was queued to write
  // the key in between has lost its purpose.
  void drop_unstarted_writes(std::string_view store, std::string_view key);

  // Id of the visible pending or running delete of this key.
  std::optional<std::int64_t> find_delete(std::string_view store, std::string_view key);

  // Another operation than a delete is queued or under way for this key, or a transaction is about to queue one.
  bool has_other(std::string_view store, std::string_view key);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace audiostore::outbox
