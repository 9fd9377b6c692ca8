// Rows keep their xmin, so that a snapshot sees of them what it saw before: a transaction that has an old one does not
// find a key twice, in its old segment and where it was put since. Only what everybody sees is marked as frozen. An
// xmax is that of a transaction which was rolled back or held a lock: whoever changes a row holds a lock on the segment
// until its transaction ends, and we have the segment alone.
#include "cache/thin.hpp"

#include "cache/lookup.hpp"

extern "C" {
#include "access/detoast.h"
#include "storage/procarray.h"
}

namespace audiostore::cache {
namespace {

struct Chunk {
  Oid value;
  std::int32_t sequence;
  ItemPointerData place;
};

// What stays, in memory of the caller's.
struct Stay {
  HeapTuple* rows = nullptr;
  std::uint64_t* hashes = nullptr;
  std::size_t row_count = 0;
  Oid* values = nullptr;  // of their TOAST pointers
  std::size_t value_count = 0;
  Chunk* chunks = nullptr;
  std::size_t chunk_count = 0, chunk_room = 0;
};

void note_values(TupleTableSlot* slot, Stay& stay) {
  TupleDesc const shape = slot->tts_tupleDescriptor;
  slot_getallattrs(slot);
  for (int i = 0; i < shape->natts; i++) {
    if (slot->tts_isnull[i] || TupleDescAttr(shape, i)->attlen != -1) continue;
    auto* const value = reinterpret_cast<struct varlena*>(DatumGetPointer(slot->tts_values[i]));
    if (!VARATT_IS_EXTERNAL_ONDISK(value)) continue;
    struct varatt_external pointer {};
    VARATT_EXTERNAL_GET_POINTER(pointer, value);
    stay.values[stay.value_count++] = pointer.va_valueid;
  }
}

void read_rows(Relation heap, const std::vector<std::uint64_t>& rows, Stay& stay) {
  auto const most_values = rows.size() * static_cast<std::size_t>(RelationGetNumberOfAttributes(heap));
  stay.rows = static_cast<HeapTuple*>(palloc_extended(rows.size() * sizeof(HeapTuple), MCXT_ALLOC_HUGE));
  stay.hashes = static_cast<std::uint64_t*>(palloc_extended(rows.size() * sizeof(std::uint64_t), MCXT_ALLOC_HUGE));
  stay.values = static_cast<Oid*>(palloc_extended(most_values * sizeof(Oid), MCXT_ALLOC_HUGE));
  Snapshot const snapshot = RegisterSnapshot(GetLatestSnapshot());
  TupleTableSlot* const slot = table_slot_create(heap, nullptr);
  for (std::uint64_t const row : rows) {
    ItemPointerData place = tid_of(row);
    if (!table_tuple_fetch_row_version(heap, &place, snapshot, slot)) continue;
    auto* const key = DatumGetTextPP(attribute(slot, column::cache_key));
    note_values(slot, stay);
    stay.hashes[stay.row_count] = hash_of({VARDATA_ANY(key), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(key))});
    stay.rows[stay.row_count++] = ExecCopySlotHeapTuple(slot);
    ExecClearTuple(slot);
    CHECK_FOR_INTERRUPTS();
  }
  ExecDropSingleTupleTableSlot(slot);
  UnregisterSnapshot(snapshot);
}

void add_chunk(Stay& stay, const Chunk& chunk) {
  if (stay.chunk_count == stay.chunk_room) {
    stay.chunk_room = stay.chunk_room == 0 ? 1024 : 2 * stay.chunk_room;
    Size const size = stay.chunk_room * sizeof(Chunk);
    stay.chunks = static_cast<Chunk*>(stay.chunks == nullptr ? palloc_extended(size, MCXT_ALLOC_HUGE)
                                                             : repalloc_huge(stay.chunks, size));
  }
  stay.chunks[stay.chunk_count++] = chunk;
}

// In the order of the index.
void read_chunks(const Kept& kept, Stay& stay) {
  std::sort(stay.values, stay.values + stay.value_count);
  IndexScanDesc const scan = pg::begin_index_scan(kept.toast, kept.index, SnapshotAny, 1);
  scan->xs_want_itup = true;
  for (std::size_t i = 0; i < stay.value_count; i++) {
    ScanKeyData condition;
    ScanKeyInit(&condition, 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(stay.values[i]));
    index_rescan(scan, &condition, 1, nullptr, 0);
    while (ItemPointer const place = index_getnext_tid(scan, ForwardScanDirection)) {
      bool null = false;
      Datum const sequence = index_getattr(scan->xs_itup, 2, scan->xs_itupdesc, &null);
      add_chunk(stay, {stay.values[i], DatumGetInt32(sequence), *place});
    }
    CHECK_FOR_INTERRUPTS();
  }
  index_endscan(scan);
}

// Returns the row's xmin where that is not for everybody to see yet.
TransactionId clean(HeapTupleHeader row, TransactionId oldest) {
  // NOLINTNEXTLINE(misc-redundant-expression): of PostgreSQL's masks
  row->t_infomask &= static_cast<std::uint16_t>(~(HEAP_XMAX_BITS | HEAP_UPDATED));
  row->t_infomask |= HEAP_XMAX_INVALID;
  row->t_infomask2 &= static_cast<std::uint16_t>(~(HEAP_KEYS_UPDATED | HEAP_HOT_UPDATED | HEAP_ONLY_TUPLE));
  HeapTupleHeaderSetXmax(row, InvalidTransactionId);
  if (HeapTupleHeaderXminFrozen(row)) return InvalidTransactionId;
  TransactionId const writer = HeapTupleHeaderGetRawXmin(row);
  if (TransactionIdIsCurrentTransactionId(writer)) return writer;
  bool const seen_by_all = TransactionIdPrecedes(writer, oldest);
  row->t_infomask |= seen_by_all ? HEAP_XMIN_FROZEN : HEAP_XMIN_COMMITTED;
  return seen_by_all ? InvalidTransactionId : writer;
}

Buffer new_page(Relation heap) {
  Buffer const buffer = ReadBuffer(heap, P_NEW);
  LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
  PageInit(BufferGetPage(buffer), BLCKSZ, 0);
  return buffer;
}

void finish_page(Relation heap, Buffer buffer) {
  START_CRIT_SECTION();
  MarkBufferDirty(buffer);
  if (RelationNeedsWAL(heap)) log_newpage_buffer(buffer, true);
  END_CRIT_SECTION();
  UnlockReleaseBuffer(buffer);
}

// Returns the oldest xmin that is not frozen.
TransactionId write_rows(int segment, Relation heap, const Stay& stay) {
  TransactionId const oldest = GetOldestNonRemovableTransactionId(heap);
  TransactionId least = InvalidTransactionId;
  Buffer buffer = InvalidBuffer;
  for (std::size_t i = 0; i < stay.row_count; i++) {
    HeapTuple const row = stay.rows[i];
    TransactionId const writer = clean(row->t_data, oldest);
    if (TransactionIdIsValid(writer) && (!TransactionIdIsValid(least) || TransactionIdPrecedes(writer, least))) {
      least = writer;
    }
    if (BufferIsValid(buffer) && PageGetHeapFreeSpace(BufferGetPage(buffer)) < MAXALIGN(row->t_len)) {
      finish_page(heap, buffer);
      buffer = InvalidBuffer;
    }
    if (!BufferIsValid(buffer)) buffer = new_page(heap);
    Page const page = BufferGetPage(buffer);
    OffsetNumber const offset =
        PageAddItem(page, reinterpret_cast<Item>(row->t_data), row->t_len, InvalidOffsetNumber, false, true);
    if (offset == InvalidOffsetNumber) elog(ERROR, "could not move a row of the audio cache");
    ItemPointerData place;
    ItemPointerSet(&place, BufferGetBlockNumber(buffer), offset);
    reinterpret_cast<HeapTupleHeader>(PageGetItem(page, PageGetItemId(page, offset)))->t_ctid = place;
    remember(*relations().shared, stay.hashes[i], where(segment, place));
  }
  if (BufferIsValid(buffer)) finish_page(heap, buffer);
  return least;
}

// A new file promises that nothing in it is older than the transactions that run now.
void set_frozen_limit(Relation heap, TransactionId least) {
  if (!TransactionIdIsValid(least) || !TransactionIdPrecedes(least, heap->rd_rel->relfrozenxid)) return;
  Relation const classes = table_open(RelationRelationId, RowExclusiveLock);
  HeapTuple const row = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(RelationGetRelid(heap)));
  if (!HeapTupleIsValid(row)) elog(ERROR, "cache lookup failed for relation %u", RelationGetRelid(heap));
  reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relfrozenxid = least;
  CatalogTupleUpdate(classes, &row->t_self, row);
  heap_freetuple(row);
  table_close(classes, RowExclusiveLock);
  CommandCounterIncrement();
}

void write_chunks(const Kept& kept, const Stay& stay) {
  static IndexInfo unread{};  // a btree does not look at it
  for (std::size_t i = 0; i < stay.chunk_count; i++) {
    Chunk& chunk = stay.chunks[i];
    Datum values[2] = {ObjectIdGetDatum(chunk.value), Int32GetDatum(chunk.sequence)};
    bool nulls[2] = {};
    index_insert(kept.index, values, nulls, &chunk.place, kept.toast, UNIQUE_CHECK_NO, false, &unread);
    if (i % 1024 == 0) CHECK_FOR_INTERRUPTS();
  }
}

}  // namespace

bool thin_in_place(int segment, const std::vector<std::uint64_t>& rows) {
  Kept kept;
  if (!open_kept(segment, kept)) return false;
  Stay stay;
  read_rows(kept.heap, rows, stay);
  read_chunks(kept, stay);
  pg::set_new_file(kept.heap);
  TransactionId const least = write_rows(segment, kept.heap, stay);
  set_frozen_limit(kept.heap, least);
  make_empty(kept.index);
  write_chunks(kept, stay);
  close(kept);
  return true;
}

}  // namespace audiostore::cache
