// Inserts and removes rows of one of our tables without statements: the heap directly, its indexes through the
// executor's function, whichever there are. All of it runs inside pg::call.
#pragma once

#include "pg/guard.hpp"

namespace audiostore::outbox {

class TableWriter {
 public:
  void open(Relation table);
  // `slot` knows its place afterwards.
  void insert(TupleTableSlot* slot);
  void insert_many(TupleTableSlot** slots, int count);
  // Of a row that was written otherwise.
  void insert_entries(TupleTableSlot* slot);
  void close();

 private:
  Relation table_ = nullptr;
  EState* executor_ = nullptr;
  ResultRelInfo* result_ = nullptr;
};

// Waits for whoever is changing the row, and removes it only if it is still this version.
TM_Result remove_version(Relation table, ItemPointerData tid);

}  // namespace audiostore::outbox
