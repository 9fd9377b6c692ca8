// The heaps and indexes behind packs: operation_packs and operation_holes. All but the constructor and the destructor
// runs inside pg::call.
#pragma once

#include <span>
#include <string_view>

#include "outbox/pack.hpp"
#include "outbox/table_writer.hpp"

namespace audiostore::outbox {

class PackRelations {
 public:
  PackRelations();
  ~PackRelations();
  PackRelations(const PackRelations&) = delete;
  PackRelations& operator=(const PackRelations&) = delete;

  // Nobody has any, not even in a transaction in progress. Next to free; the rest is opened when it is needed.
  bool empty() const { return packs_ == nullptr || RelationGetNumberOfBlocks(packs_) == 0; }
  bool no_holes();
  void open_all();

  Relation packs() const { return packs_; }
  Relation keys_index() const { return keys_; }
  Relation due_index() const { return due_; }
  Relation id_index() const { return id_; }
  Relation holes() const { return holes_; }
  Relation holes_index() const { return holes_id_; }
  TupleTableSlot* slot() const { return slot_; }

  // Sets their places.
  void insert(std::span<Pack> packs);
  // Replaces the version at pack.tid unless somebody has it locked or has changed it.
  bool update(Pack& pack);
  static void read(TupleTableSlot* row, Pack& pack);
  static std::string_view keys_of(TupleTableSlot* row);

  ItemPointerData insert_hole(std::int64_t id);

 private:
  HeapTuple form(const Pack& pack) const;

  Relation packs_ = nullptr;
  Relation keys_ = nullptr;
  Relation due_ = nullptr;
  Relation id_ = nullptr;
  Relation holes_ = nullptr;
  Relation holes_id_ = nullptr;
  TupleTableSlot* slot_ = nullptr;
  TupleTableSlot* hole_slot_ = nullptr;
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
