#include "tracking/row_versions.hpp"

extern "C" {
#include "access/heapam.h"
#include "access/htup_details.h"
#include "utils/snapmgr.h"
}

namespace audiostore::tracking {
namespace {

// From the line pointer that the index names, along the versions on this page.
bool ended_since(Buffer buffer, OffsetNumber offset, Snapshot before) {
  Page const page = BufferGetPage(buffer);
  TransactionId previous = InvalidTransactionId;
  while (offset >= FirstOffsetNumber && offset <= PageGetMaxOffsetNumber(page)) {
    ItemId const item = PageGetItemId(page, offset);
    if (ItemIdIsRedirected(item)) {
      offset = ItemIdGetRedirect(item);
      continue;
    }
    if (!ItemIdIsNormal(item)) return false;
    auto* const version = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, item));
    bool const follows =
        !TransactionIdIsValid(previous) || TransactionIdEquals(previous, HeapTupleHeaderGetXmin(version));
    if (!follows || (version->t_infomask & HEAP_XMAX_IS_MULTI) != 0) return true;
    bool const ended = (version->t_infomask & HEAP_XMAX_INVALID) == 0 && !HEAP_XMAX_IS_LOCKED_ONLY(version->t_infomask);
    if (!ended) return false;  // who inserted it has rolled back
    previous = HeapTupleHeaderGetRawXmax(version);
    if (XidInMVCCSnapshot(previous, before)) return true;
    if (!HeapTupleHeaderIsHotUpdated(version)) return false;
    offset = ItemPointerGetOffsetNumber(&version->t_ctid);
  }
  return true;
}

}  // namespace

bool may_have_moved(Relation table, IndexScanDesc scan, Snapshot before) {
  if (table->rd_tableam != GetHeapamTableAmRoutine()) return true;
  Buffer const buffer = reinterpret_cast<IndexFetchHeapData*>(scan->xs_heapfetch)->xs_cbuf;
  if (!BufferIsValid(buffer) || BufferGetBlockNumber(buffer) != ItemPointerGetBlockNumber(&scan->xs_heaptid)) {
    return true;
  }
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  bool const result = ended_since(buffer, ItemPointerGetOffsetNumber(&scan->xs_heaptid), before);
  LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
  return result;
}

}  // namespace audiostore::tracking
