// One tracked column of one table, open for reading inside a transaction: its live rows along an index, for given keys,
// or block by block. Straight from the table, without the executor: a million rows pass here for every million objects.
//
// What would surprise you: rows come with where they are and who wrote them (ctid and xmin). A row that is at the same
// place in two looks was there all the time in between.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/key_span.hpp"
#include "pg/guard.hpp"
#include "tracking/registry.hpp"
#include "tracking/row.hpp"

namespace audiostore::audit {

// Views into the row: valid inside the callback.
struct FoundRow {
  std::string_view key;
  ItemPointerData tid{};
  TransactionId xmin = InvalidTransactionId;
  std::optional<std::int64_t> size;
  std::string checksum;  // 32 octets; empty: none, or none that could be one
};

// Returns false to end the walk.
using RowSink = std::function<bool(const FoundRow&)>;

enum class Waiting { no, yes };

class TrackedTable {
 public:
  enum class State { open, busy, gone };

  TrackedTable(const tracking::Registry::Source& source, std::string_view store) : source_(source), store_(store) {}
  ~TrackedTable();
  TrackedTable(const TrackedTable&) = delete;
  TrackedTable& operator=(const TrackedTable&) = delete;

  // Busy: somebody has it locked for DDL, and the caller does not wait.
  State open(Waiting waiting);

  Oid relation() const { return source_.relation; }
  const std::string& key_column() const { return source_.tracking->column->key_column; }
  bool states_checksums() const { return checksum_ != InvalidAttrNumber; }
  void read_checksums(bool wanted) { checksums_wanted_ = wanted; }

  // An index has the keys in byte order.
  bool ordered() const { return ordered_ != nullptr; }
  // Live rows of this store with keys in the span, in byte order; only where ordered().
  void walk(const KeySpan& span, Snapshot snapshot, const RowSink& sink);
  // Live rows that hold one of these keys (distinct, in byte order), in no order.
  void look_up(std::span<const std::string> keys, Snapshot snapshot, const RowSink& sink);
  // Live rows in some blocks of the table, in no order.
  void scan(BlockNumber first, BlockNumber count, Snapshot snapshot, const RowSink& sink);
  BlockNumber blocks() const;

 private:
  bool lock(Oid relation, Waiting waiting);
  Relation open_index(Oid index, Waiting waiting);
  Oid find_ordered_index() const;
  AttrNumber attribute(const std::string& name) const;
  // Inside pg::call: false when the row is none of ours; its key, if it has one, is in `live` even so.
  bool read(FoundRow& found, tracking::LiveKey& live);
  std::optional<std::int64_t> size_of_row() const;
  std::string checksum_of_row() const;
  void look_up_by_scan(std::span<const std::string> keys, Snapshot snapshot, const RowSink& sink);
  ScanKeyData condition(Relation index, StrategyNumber strategy, Datum key) const;

  const tracking::Registry::Source& source_;
  std::string_view store_;
  bool locked_ = false;
  Relation table_ = nullptr;
  const tracking::CompiledColumn* compiled_ = nullptr;
  Relation ordered_ = nullptr;
  Relation equality_ = nullptr;
  AttrNumber size_ = InvalidAttrNumber;
  AttrNumber checksum_ = InvalidAttrNumber;
  bool checksums_wanted_ = false;
  std::optional<tracking::RowReader> reader_;
  TupleTableSlot* slot_ = nullptr;
};

}  // namespace audiostore::audit
