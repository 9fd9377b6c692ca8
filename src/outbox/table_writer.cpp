#include "outbox/table_writer.hpp"

namespace audiostore::outbox {

void TableWriter::open(Relation table) {
  if (executor_ != nullptr) return;
  table_ = table;
  executor_ = CreateExecutorState();
  MemoryContext const outer = MemoryContextSwitchTo(executor_->es_query_cxt);
  result_ = makeNode(ResultRelInfo);
  InitResultRelInfo(result_, table, 0, nullptr, 0);
  ExecOpenIndices(result_, false);
  MemoryContextSwitchTo(outer);
}

void TableWriter::insert(TupleTableSlot* slot) { insert_many(&slot, 1); }

void TableWriter::insert_many(TupleTableSlot** slots, int count) {
  table_multi_insert(table_, slots, count, GetCurrentCommandId(true), 0, nullptr);
  for (int i = 0; i < count; i++) insert_entries(slots[i]);
}

void TableWriter::insert_entries(TupleTableSlot* slot) {
  slot->tts_tableOid = RelationGetRelid(table_);
  list_free(pg::insert_index_entries(result_, slot, executor_));
  ResetPerTupleExprContext(executor_);
}

void TableWriter::close() {
  if (executor_ == nullptr) return;
  ExecCloseIndices(result_);
  FreeExecutorState(executor_);
  *this = {};
}

TM_Result remove_version(Relation table, ItemPointerData tid) {
  CommandCounterIncrement();  // it may have been written by this very command
  TM_FailureData failure;
  return table_tuple_delete(table, &tid, GetCurrentCommandId(true), SnapshotAny, InvalidSnapshot, true, &failure, false);
}

}  // namespace audiostore::outbox
