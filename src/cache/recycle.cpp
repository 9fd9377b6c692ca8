// Why a page can be used again, whatever happens to whom:
//
// - Rows that pointed to it are gone: emptying and the new index are one transaction, which had the segment to itself
//   until it committed. While it may yet be rolled back only its own process could come here, and does not
//   (emptied_here).
// - Whoever writes a chunk enters it into the index before its transaction ends. So a chunk whose transaction is over
//   and that has no entry is nobody's. The transaction is looked at first, then the index.
// - A pointer to a pruned row (LP_DEAD) may have an entry, and VACUUM may be about to come back for it: such a page is
//   not used. It goes when the segment's file is given back.
// - The emptied page is logged, as an image of a few bytes, after the commit that made it free: a crash brings back the
//   old page with the old index, or the new page with the new one; and torn pages are repaired from the image.
// - Its flag PD_ALL_VISIBLE stays as it is, since the visibility map may say so: an empty page is visible to all, and
//   the insert that comes next clears both.
#include "cache/recycle.hpp"

extern "C" {
#include "access/heaptoast.h"
#include "access/nbtree.h"
#include "access/toast_internals.h"
#include "access/transam.h"
#include "commands/tablecmds.h"
#include "postmaster/autovacuum.h"
#include "replication/slot.h"
#include "storage/freespace.h"
#include "storage/predicate.h"
#include "storage/procarray.h"
#include "storage/smgr.h"
}

namespace audiostore::cache {
namespace {

constexpr std::uint32_t kBatch = 32;
// Who asks for pages looks at so many at most, whether they are free or not.
constexpr int kMostBatches = 4;
constexpr std::int64_t kBytesOfPage = std::int64_t{TOAST_MAX_CHUNK_SIZE} * EXTERN_TUPLES_PER_PAGE;

// Segments that this transaction has emptied.
struct {
  LocalTransactionId transaction = InvalidLocalTransactionId;
  std::uint64_t segments = 0;
} emptied;

// What this process has found free and not filled yet, in bytes of audio; others may have taken it.
std::int64_t found_free[kSegments];

void set_pages(SharedCache& shared, int segment, BlockNumber end) {
  Recycling& recycled = recycling(shared, segment);
  pg_atomic_write_u32(&recycled.end, 0);
  pg_atomic_write_u32(&recycled.next, 0);
  pg_atomic_write_u32(&recycled.end, end);
}

// ---- emptying -----------------------------------------------------------------------------------------------------

// A file that is never replaced has to be frozen one day; replacing it once in a while is less work.
bool is_old(Relation toast) {
  auto const age = static_cast<std::int32_t>(ReadNextTransactionId() - toast->rd_rel->relfrozenxid);
  return age > autovacuum_freeze_max_age / 4;
}

// Who reads the log as changes of rows has to be told, and that is what TRUNCATE does.
bool is_decoded(Relation heap) {
  if (!RelationIsLogicallyLogged(heap)) return false;
  int slots = 0;
  int active = 0;
  return ReplicationSlotsCountDBSlots(MyDatabaseId, &slots, &active);
}

// ---- using pages again ----------------------------------------------------------------------------------------------

bool may_be_written(HeapTupleHeader tuple) {
  if (HeapTupleHeaderXminCommitted(tuple) || HeapTupleHeaderXminInvalid(tuple)) return false;
  TransactionId const writer = HeapTupleHeaderGetRawXmin(tuple);
  return TransactionIdIsCurrentTransactionId(writer) || TransactionIdIsInProgress(writer);
}

struct Toast {
  Relation table;
  IndexScanDesc entries;  // of its index
};

bool has_entry(const Toast& toast, Oid value, BlockNumber block) {
  ScanKeyData condition;
  ScanKeyInit(&condition, 1, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(value));
  index_rescan(toast.entries, &condition, 1, nullptr, 0);
  while (ItemPointer const entry = index_getnext_tid(toast.entries, ForwardScanDirection)) {
    if (ItemPointerGetBlockNumber(entry) == block) return true;
  }
  return false;
}

// NOLINTNEXTLINE(readability-non-const-parameter): what later versions make of these macros takes no const page
bool is_free(const Toast& toast, Page page, BlockNumber block) {
  Oid last = InvalidOid;
  OffsetNumber const count = PageGetMaxOffsetNumber(page);
  for (OffsetNumber i = FirstOffsetNumber; i <= count; i++) {
    ItemId const item = PageGetItemId(page, i);
    if (!ItemIdIsUsed(item)) continue;
    if (!ItemIdIsNormal(item)) return false;
    if (may_be_written(reinterpret_cast<HeapTupleHeader>(PageGetItem(page, item)))) return false;
  }
  for (OffsetNumber i = FirstOffsetNumber; i <= count; i++) {
    ItemId const item = PageGetItemId(page, i);
    if (!ItemIdIsUsed(item)) continue;
    HeapTupleData tuple;
    tuple.t_data = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, item));
    tuple.t_len = ItemIdGetLength(item);
    bool null = false;
    Oid const value = DatumGetObjectId(heap_getattr(&tuple, 1, RelationGetDescr(toast.table), &null));
    if (value == last) continue;
    last = value;
    if (has_entry(toast, value, block)) return false;
  }
  return true;
}

// Nothing but the header changes, which no disk writes in two parts.
void clear_page(Relation toast, Buffer buffer) {
  auto* const header = reinterpret_cast<PageHeader>(BufferGetPage(buffer));
  START_CRIT_SECTION();
  header->pd_lower = SizeOfPageHeaderData;
  header->pd_upper = header->pd_special;
  header->pd_flags &= PD_ALL_VISIBLE;
  header->pd_prune_xid = InvalidTransactionId;
  MarkBufferDirty(buffer);
  if (RelationNeedsWAL(toast)) log_newpage_buffer(buffer, true);
  END_CRIT_SECTION();
}

bool free_page(const Toast& toast, BlockNumber block) {
  Buffer const buffer = ReadBuffer(toast.table, block);
  if (!ConditionalLockBufferForCleanup(buffer)) {
    ReleaseBuffer(buffer);
    return false;
  }
  Page const page = BufferGetPage(buffer);
  // Where a file was made longer and the server crashed, a page is all zeros; an insert sees to that.
  bool const fresh = PageIsNew(page);
  bool const free = fresh || is_free(toast, page, block);
  if (free && !fresh && PageGetMaxOffsetNumber(page) > 0) clear_page(toast.table, buffer);
  Size const room = fresh ? BLCKSZ - SizeOfPageHeaderData : PageGetHeapFreeSpace(page);
  UnlockReleaseBuffer(buffer);
  if (free) RecordPageWithFreeSpace(toast.table, block, room);
  return free;
}

// How many of these blocks are free now.
int free_pages(Relation table, BlockNumber first, BlockNumber end) {
  Relation* indexes = nullptr;
  int count = 0;
  int const valid = toast_open_indexes(table, RowExclusiveLock, &indexes, &count);
  int free = 0;
  if (count == 1) {
    Toast const toast = {table, pg::begin_index_scan(table, indexes[valid], SnapshotAny, 1)};
    // An entry that is marked as dead is there all the same.
    toast.entries->ignore_killed_tuples = false;
    for (BlockNumber block = first; block < end; block++) {
      CHECK_FOR_INTERRUPTS();
      if (free_page(toast, block)) free++;
    }
    index_endscan(toast.entries);
  }
  toast_close_indexes(indexes, count, NoLock);
  if (free > 0) FreeSpaceMapVacuumRange(table, first, end);
  return free;
}

}  // namespace

void make_empty(Relation index) {
  pg::set_new_file(index);
  if (index->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED) {
    SMgrRelation const file = RelationGetSmgr(index);
    smgrcreate(file, INIT_FORKNUM, false);
    pg::log_file_creation(index, INIT_FORKNUM);
    index->rd_indam->ambuildempty(index);
  }
  Buffer const buffer = ReadBuffer(index, P_NEW);
  LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
  bool const all_equal_image = _bt_allequalimage(index, false);
  START_CRIT_SECTION();
  _bt_initmetapage(BufferGetPage(buffer), P_NONE, 0, all_equal_image);
  MarkBufferDirty(buffer);
  if (RelationNeedsWAL(index)) log_newpage_buffer(buffer, true);
  END_CRIT_SECTION();
  UnlockReleaseBuffer(buffer);
}

void note_emptied(int segment) {
  LocalTransactionId const transaction = pg::local_transaction();
  if (emptied.transaction != transaction) emptied = {transaction, 0};
  emptied.segments |= bit_of(segment);
}

bool emptied_here(int segment) {
  return emptied.transaction == pg::local_transaction() && (emptied.segments & bit_of(segment)) != 0;
}

bool open_kept(int segment, Kept& kept) {
  SharedCache* const shared = relations().shared;
  if (shared == nullptr) return false;
  kept.heap = table_open(relations().heaps[segment], NoLock);
  Oid const toast = kept.heap->rd_rel->reltoastrelid;
  if (!OidIsValid(toast)) {
    table_close(kept.heap, NoLock);
    return false;
  }
  kept.toast = table_open(toast, AccessExclusiveLock);
  kept.blocks = RelationGetNumberOfBlocks(kept.toast);
  Relation* indexes = nullptr;
  int count = 0;
  toast_open_indexes(kept.toast, AccessExclusiveLock, &indexes, &count);
  if (count != 1 || kept.blocks == 0 || is_old(kept.toast) || is_decoded(kept.heap)) {
    toast_close_indexes(indexes, count, NoLock);
    table_close(kept.toast, NoLock);
    table_close(kept.heap, NoLock);
    return false;
  }
  kept.index = indexes[0];
  for (Relation const relation : {kept.heap, kept.toast, kept.index}) CheckTableNotInUse(relation, "TRUNCATE");
  CheckTableForSerializableConflictIn(kept.heap);
  note_emptied(segment);
  set_pages(*shared, segment, kept.blocks);
  found_free[segment] = 0;
  return true;
}

void close(const Kept& kept) {
  Oid const heap = RelationGetRelid(kept.heap);
  index_close(kept.index, NoLock);
  table_close(kept.toast, NoLock);
  table_close(kept.heap, NoLock);
  pg::rebuild_indexes(heap);
}

bool empty_in_place(int segment) {
  Kept kept;
  if (!open_kept(segment, kept)) return false;
  note_spare(segment, kept.blocks);
  pg::set_new_file(kept.heap);
  make_empty(kept.index);
  pgstat_count_truncate(kept.heap);
  close(kept);
  return true;
}

void begin_recycling(int segment) {
  SharedCache* const shared = relations().shared;
  if (shared == nullptr || !ConditionalLockRelationOid(relations().heaps[segment], RowExclusiveLock)) return;
  Relation const heap = table_open(relations().heaps[segment], NoLock);
  set_pages(*shared, segment, static_cast<BlockNumber>(toast_blocks(segment, heap).all));
  pg_atomic_write_u32(&recycling(*shared, segment).spare, 0);
  table_close(heap, NoLock);
  found_free[segment] = 0;
}

bool prepare_pages(int segment, Relation heap, std::int64_t bytes) {
  SharedCache* const shared = relations().shared;
  if (shared == nullptr || emptied_here(segment) || !OidIsValid(heap->rd_rel->reltoastrelid)) return false;
  // Values end in smaller chunks, after which the last that would make a page full finds no room.
  std::int64_t const needed = bytes + bytes / 4;
  Recycling& recycled = recycling(*shared, segment);
  for (int i = 0; i < kMostBatches && found_free[segment] < needed; i++) {
    std::uint32_t const end = pg_atomic_read_u32(&recycled.end);
    if (pg_atomic_read_u32(&recycled.next) >= end) break;
    std::uint32_t const first = pg_atomic_fetch_add_u32(&recycled.next, kBatch);
    Relation const toast = table_open(heap->rd_rel->reltoastrelid, RowExclusiveLock);
    BlockNumber const last = std::min({first + kBatch, end, RelationGetNumberOfBlocks(toast)});
    int const free = first < last ? free_pages(toast, first, last) : 0;
    table_close(toast, NoLock);
    found_free[segment] += free * kBytesOfPage;
    pg_atomic_fetch_add_u64(&recycled.reused, free);
  }
  if (found_free[segment] <= 0) return false;
  found_free[segment] -= needed;
  return true;
}

ToastBlocks toast_blocks(int segment, Relation heap) {
  if (!OidIsValid(heap->rd_rel->reltoastrelid)) return {};
  Relation const toast = table_open(heap->rd_rel->reltoastrelid, AccessShareLock);
  ToastBlocks blocks;
  blocks.all = static_cast<std::int64_t>(RelationGetNumberOfBlocks(toast));
  table_close(toast, NoLock);
  if (SharedCache* const shared = relations().shared) {
    Recycling& recycled = recycling(*shared, segment);
    auto const end = std::min<std::int64_t>(pg_atomic_read_u32(&recycled.end), blocks.all);
    blocks.left = std::max<std::int64_t>(end - pg_atomic_read_u32(&recycled.next), 0);
  }
  return blocks;
}

std::int64_t spare_blocks(int segment) {
  SharedCache* const shared = relations().shared;
  return shared == nullptr ? 0 : pg_atomic_read_u32(&recycling(*shared, segment).spare);
}

void note_spare(int segment, std::int64_t blocks) {
  SharedCache* const shared = relations().shared;
  if (shared != nullptr) pg_atomic_write_u32(&recycling(*shared, segment).spare, static_cast<std::uint32_t>(blocks));
}

std::int64_t reused_pages() {
  SharedCache* const shared = relations().shared;
  std::uint64_t sum = 0;
  for (int i = 0; i < kSegments && shared != nullptr; i++) {
    sum += pg_atomic_read_u64(&recycling(*shared, i).reused);
  }
  return static_cast<std::int64_t>(sum);
}

}  // namespace audiostore::cache
