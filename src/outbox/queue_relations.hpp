// The heap of audiostore.operations and its indexes, opened for writing rows without the executor: that would build
// its state for every single-row statement of a user. All of it runs inside pg::call.
#pragma once

#include "pg/guard.hpp"

namespace audiostore::outbox {

class QueueRelations {
 public:
  Relation heap = nullptr;
  Relation due = nullptr;      // operations_due; not for lookups
  Relation deletes = nullptr;  // operations_delete
  Relation other = nullptr;    // operations_other; not for lookups

  // False when one of these is missing.
  bool open(Oid relation);
  void open_for_lookup(Oid relation, Oid delete_index);
  void close();

  // Index entries of a row that was just written. `values` and `nulls` are its columns, `tuple` says where it is.
  // False when `check` is UNIQUE_CHECK_PARTIAL and another delete of the same key may exist.
  bool insert_entries(TupleTableSlot* tuple, const Datum* values, const bool* nulls, IndexUniqueCheck check);

 private:
  enum class Role { id, due, deletes, other, target, foreign };
  struct Index {
    Relation relation;
    Role role;
    IndexInfo* info;  // foreign: an index that somebody has added
  };
  static Role role_of(Relation index);
  void insert_foreign_entry(const Index& index, TupleTableSlot* tuple);

  Index* indexes_ = nullptr;
  int count_ = 0;
  EState* executor_ = nullptr;  // for foreign ones
};

}  // namespace audiostore::outbox
