#include "cache/survey.hpp"

#include "cache/recycle.hpp"

extern "C" {
#include "access/detoast.h"
}

namespace audiostore::cache {
namespace {

constexpr std::uint16_t kNotingLock = 0xA502;

// Inside pg::call; null when somebody is emptying it.
Relation open_heap(int segment) {
  Oid const oid = relations().heaps[segment];
  if (!ConditionalLockRelationOid(oid, AccessShareLock)) return nullptr;
  return table_open(oid, NoLock);
}

// Inside pg::call.
FileBytes files_of(int segment, Relation heap) {
  ToastBlocks const toast = toast_blocks(segment, heap);
  FileBytes bytes;
  bytes.all = (static_cast<std::int64_t>(RelationGetNumberOfBlocks(heap)) + toast.all) * BLCKSZ;
  bytes.in_use = bytes.all - toast.left * BLCKSZ;
  return bytes;
}

template <class Visit>
void scan(Relation heap, Snapshot snapshot, Visit&& visit) {
  TupleTableSlot* const slot = table_slot_create(heap, nullptr);
  TableScanDesc const rows = table_beginscan(heap, snapshot, 0, nullptr);
  while (table_scan_getnextslot(rows, ForwardScanDirection, slot)) visit(slot);
  table_endscan(rows);
  ExecDropSingleTupleTableSlot(slot);
}

}  // namespace

bool survey_segment(int segment, std::vector<Surveyed>& rows, FileBytes& bytes) {
  return pg::call([&] {
    Relation const heap = open_heap(segment);
    if (heap == nullptr) return false;
    bytes = files_of(segment, heap);
    Snapshot const snapshot = RegisterSnapshot(GetLatestSnapshot());
    scan(heap, snapshot, [&](TupleTableSlot* slot) {
      Datum const audio = attribute(slot, column::audio_data);
      rows.push_back({where(segment, slot->tts_tid), DatumGetTimestampTz(attribute(slot, column::last_accessed_at)),
                      DatumGetTimestampTz(attribute(slot, column::expires_at)),
                      static_cast<std::int64_t>(toast_raw_datum_size(audio)) - VARHDRSZ});
    });
    UnregisterSnapshot(snapshot);
    table_close(heap, NoLock);
    return true;
  });
}

std::optional<FileBytes> measure_files(int segment) {
  FileBytes bytes;
  bool const measured = pg::call([&] {
    Relation const heap = open_heap(segment);
    if (heap == nullptr) return false;
    bytes = files_of(segment, heap);
    table_close(heap, NoLock);
    return true;
  });
  if (!measured) return std::nullopt;
  return bytes;
}

Survey survey(TimestampTz now) {
  Survey result;
  std::vector<Surveyed> rows;
  std::uint64_t const used = used_segments();
  for (int i = 0; i < kSegments; i++) {
    if ((used & bit_of(i)) == 0) continue;
    SegmentSurvey one;
    one.segment = i;
    rows.clear();
    if (!survey_segment(i, rows, one.files)) continue;
    for (Surveyed const& row : rows) {
      if (row.expires <= now) {
        one.expired++;
        continue;
      }
      one.live++;
      one.live_bytes += row.size;
      one.last_expiry = std::max(one.last_expiry, row.expires);
      result.live.push_back(row);
    }
    result.entries += one.live;
    result.bytes += one.live_bytes;
    result.segments.push_back(one);
  }
  return result;
}

bool note_all_keys(SharedCache& shared, std::int64_t most_blocks) {
  return pg::call([&] {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, relations().table, 0, kNotingLock);
    if (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL) return false;
    for (int i = 0; i < kSegments; i++) {
      Relation const heap = open_heap(i);
      if (heap == nullptr) return false;
      most_blocks -= static_cast<std::int64_t>(RelationGetNumberOfBlocks(heap));
      // Whatever lies there may become visible yet.
      if (most_blocks >= 0 && RelationGetNumberOfBlocks(heap) > 0) {
        scan(heap, SnapshotAny, [&](TupleTableSlot* slot) {
          auto* const key = DatumGetTextPP(attribute(slot, column::cache_key));
          note_key(shared, hash_of({VARDATA_ANY(key), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(key))}), i);
        });
      }
      table_close(heap, NoLock);
      if (most_blocks < 0) return false;
    }
    set_complete(shared);
    return true;
  });
}

void note_keys_if_needed(std::int64_t most_blocks) {
  SharedCache* const shared = relations().shared;
  if (shared != nullptr && !is_complete(*shared)) note_all_keys(*shared, most_blocks);
}

}  // namespace audiostore::cache
