// The heap of audiostore.operation_rows and its indexes, opened for writing rows without the executor: that would build
// its state for every single-row statement of a user. All of it runs inside pg::call.
#pragma once

#include "pg/guard.hpp"

namespace audiostore::outbox {

struct QueueRow;

// Its oid; throws SqlError where it does not exist.
Oid operation_rows();
[[noreturn]] void throw_index_missing();

class QueueRelations {
 public:
  Relation heap = nullptr;
  Relation due = nullptr;      // operations_due; not for lookups
  Relation deletes = nullptr;  // operations_delete
  Relation other = nullptr;    // operations_other; not for lookups

  // False when one of these is missing. Rows that are all deletes have no entries in operations_other and
  // operations_target: those stay closed where that is known.
  bool open(Oid relation, bool only_deletes);
  void open_for_lookup(Oid relation, Oid delete_index);
  // operations_other, opened when it was not.
  Relation open_other();
  void close();

  // Called with the position of a delete that may not be the only one of its key, right after its entry went in.
  struct OnClash {
    void (*call)(void* context, std::size_t row);
    void* context;
  };

  // Index entries of rows that were just written: `rows` are their columns, `tuples` say where they are. One index
  // after the other, as each stays in the processor's cache meanwhile. Without on_clash, nobody asks for other deletes.
  void insert_entries(TupleTableSlot** tuples, const QueueRow* rows, std::size_t count, const OnClash* on_clash);

 private:
  enum class Role { id, due, deletes, other, target, foreign };
  struct Index {
    Relation relation;
    Role role;
    IndexInfo* info;  // foreign: an index that somebody has added
  };
  static Role role_of(Relation index);
  static bool has_entry(Role role, const QueueRow& row);
  void insert_foreign_entry(const Index& index, TupleTableSlot* tuple);

  MemoryContext memory_ = nullptr;
  Index* indexes_ = nullptr;
  int count_ = 0;
  Relation opened_other_ = nullptr;
  EState* executor_ = nullptr;  // for foreign ones
};

}  // namespace audiostore::outbox
