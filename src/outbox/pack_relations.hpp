// The heaps and indexes behind packs: operation_packs and operation_holes. All but the constructor and the destructor
// runs inside pg::call.
#pragma once

#include <span>
#include <string_view>

#include "outbox/pack.hpp"
#include "outbox/table_writer.hpp"

namespace audiostore::outbox {

// Over an index whose only column is an id. Inside pg::call; index_endscan() ends it.
IndexScanDesc begin_id_scan(Relation heap, Relation index, Snapshot snapshot, std::int64_t first, std::int64_t last);

class PackRelations {
 public:
  // For `lookup` they stay closed where it is known that there are none.
  enum class Use { lookup, change };
  explicit PackRelations(Use use = Use::change);
  ~PackRelations();
  PackRelations(const PackRelations&) = delete;
  PackRelations& operator=(const PackRelations&) = delete;

  // Nobody has any, not even in a transaction in progress. Next to free.
  bool empty() const { return packs_ == nullptr || RelationGetNumberOfBlocks(packs_) == 0; }
  bool no_holes() const;

  // Opened when they are first asked for: a lookup that finds nothing needs the packs and one index.
  Relation packs() const;
  Relation keys_index() const;
  Relation due_index() const;
  Relation id_index() const;
  Relation holes() const;
  Relation holes_index() const;
  TupleTableSlot* slot() const;

  // Sets their places.
  void insert(std::span<Pack> packs);
  // Replaces the version at pack.tid unless somebody has it locked or has changed it.
  bool update(Pack& pack);
  static void read(TupleTableSlot* row, Pack& pack);
  static std::string_view keys_of(TupleTableSlot* row);

  ItemPointerData insert_hole(std::int64_t id);

 private:
  HeapTuple form(const Pack& pack) const;

  MemoryContext memory_ = CurrentMemoryContext;
  Relation packs_ = nullptr;
  Oid keys_oid_ = InvalidOid;
  mutable Relation keys_ = nullptr;
  mutable Relation due_ = nullptr;
  mutable Relation id_ = nullptr;
  mutable Relation holes_ = nullptr;
  mutable Relation holes_id_ = nullptr;
  mutable TupleTableSlot* slot_ = nullptr;
  TableWriter pack_writer_;
  TableWriter hole_writer_;
};

// Columns of operation_packs, in the order of packs.sql.
namespace pack_column {
enum : AttrNumber {
  id = 1,
  enqueued_at,
  not_before,
  leased_until,
  statement,
  attempts,
  claimed_by,
  key_count,
  in_doubt,
  state,
  store,
  range_end,
  reason,
  last_error,
  keys,
  count = keys
};
}

}  // namespace audiostore::outbox
