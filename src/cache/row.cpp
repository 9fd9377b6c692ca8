#include "cache/row.hpp"

#include "cache/recycle.hpp"

extern "C" {
#include "access/heaptoast.h"
}

namespace audiostore::cache {
namespace {

constexpr std::uint16_t kKeyLock = 0xA501;
constexpr int kManyLocks = 2000;

struct {
  LocalTransactionId transaction = InvalidLocalTransactionId;
  int count = 0;
} key_locks;

void insert_other_entries(Relation heap, TupleTableSlot* slot) {
  EState* const executor = CreateExecutorState();
  auto* const result = makeNode(ResultRelInfo);
  InitResultRelInfo(result, heap, 1, nullptr, 0);
  ExecOpenIndices(result, false);
  pg::insert_index_entries(result, slot, executor);
  ExecCloseIndices(result);
  FreeExecutorState(executor);
}

// The primary key alone, as a segment has it from the start, needs no executor.
void insert_entries(Relation heap, TupleTableSlot* slot, const Row& row) {
  List* const indexes = RelationGetIndexList(heap);
  Oid const key_index = pg::primary_key_index(heap);
  if (list_length(indexes) != 1 || linitial_oid(indexes) != key_index) {
    insert_other_entries(heap, slot);
    return;
  }
  static IndexInfo unread{};  // a btree does not look at it
  Relation const key = index_open(key_index, RowExclusiveLock);
  Datum values[2] = {row.values[column::cache_key - 1], row.values[column::segment - 1]};
  bool nulls[2] = {};
  index_insert(key, values, nulls, &slot->tts_tid, heap, UNIQUE_CHECK_YES, false, &unread);
  index_close(key, NoLock);
}

}  // namespace

Written insert_row(int segment, Row& row, Amount amount) {
  row.set(column::segment, Int16GetDatum(static_cast<std::int16_t>(segment + 1)));
  Relation const heap = table_open(relations().heaps[segment], NoLock);
  HeapTuple const tuple = heap_form_tuple(RelationGetDescr(heap), row.values, row.nulls);
  tuple->t_tableOid = RelationGetRelid(heap);
  bool const recycles =
      tuple->t_len > TOAST_TUPLE_THRESHOLD && prepare_pages(segment, heap, static_cast<std::int64_t>(tuple->t_len));
  int const options = amount == Amount::bulk && !recycles ? HEAP_INSERT_SKIP_FSM : 0;
  heap_insert(heap, tuple, GetCurrentCommandId(true), options, nullptr);
  TupleTableSlot* const slot = MakeSingleTupleTableSlot(RelationGetDescr(heap), &TTSOpsHeapTuple);
  ExecStoreHeapTuple(tuple, slot, false);
  slot->tts_tid = tuple->t_self;
  insert_entries(heap, slot, row);
  ExecDropSingleTupleTableSlot(slot);
  Written written;
  written.tid = tuple->t_self;
  written.first_on_page = ItemPointerGetOffsetNumber(&tuple->t_self) == FirstOffsetNumber;
  if (written.first_on_page) {
    auto const blocks = static_cast<std::int64_t>(RelationGetNumberOfBlocks(heap));
    Size inline_size = tuple->t_len;
    if (inline_size > TOAST_TUPLE_THRESHOLD) inline_size = 280;  // the audio went to the TOAST table
    written.entries = blocks * static_cast<std::int64_t>(BLCKSZ / (MAXALIGN(inline_size) + sizeof(ItemIdData)));
    ToastBlocks const toast = toast_blocks(segment, heap);
    written.bytes = (blocks + toast.all - toast.left) * BLCKSZ;
  }
  heap_freetuple(tuple);
  table_close(heap, NoLock);
  return written;
}

bool delete_row(Relation heap, ItemPointer tid, bool wait) {
  TM_FailureData failure;
  TM_Result const result =
      table_tuple_delete(heap, tid, GetCurrentCommandId(true), InvalidSnapshot, InvalidSnapshot, wait, &failure, false);
  return result == TM_Ok || result == TM_Deleted || result == TM_SelfModified;
}

bool lock_key(std::uint64_t hash, bool wait) {
  LocalTransactionId const transaction = pg::local_transaction();
  if (key_locks.transaction != transaction) key_locks = {transaction, 0};
  LockRelationOid(relations().states, RowShareLock);
  if (key_locks.count >= kManyLocks) {
    Relation const states = table_open(relations().states, AccessShareLock);
    bool const all = CheckRelationLockedByMe(states, ExclusiveLock, true) ||
                     ConditionalLockRelationOid(relations().states, ExclusiveLock);
    table_close(states, NoLock);
    if (all) return true;
  }
  key_locks.count++;
  LOCKTAG tag;
  SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, static_cast<std::uint32_t>(hash >> 32), static_cast<std::uint32_t>(hash),
                       kKeyLock);
  return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

}  // namespace audiostore::cache
