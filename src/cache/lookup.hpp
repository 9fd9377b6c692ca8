// Finding the row of a key through the index of each segment that may hold it, without SPI or a plan.
#pragma once

#include "cache/segments.hpp"

extern "C" {
#include "common/hashfn.h"
}

namespace audiostore::cache {

inline std::uint64_t hash_of(std::string_view key) {
  return hash_bytes_extended(reinterpret_cast<const unsigned char*>(key.data()), static_cast<int>(key.size()), 0);
}
inline std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 24); }

// A row's place in one number that is not 0.
inline std::uint64_t where(int segment, const ItemPointerData& tid) {
  return (static_cast<std::uint64_t>(segment + 1) << 48) |
         (static_cast<std::uint64_t>(ItemPointerGetBlockNumber(&tid)) << 16) | ItemPointerGetOffsetNumber(&tid);
}

inline ItemPointerData tid_of(std::uint64_t where) {
  ItemPointerData tid;
  ItemPointerSet(&tid, static_cast<BlockNumber>(where >> 16), static_cast<OffsetNumber>(where));
  return tid;
}

// The segments in which a lookup has to look.
std::uint64_t segments_of(std::uint64_t hash);

// Inside pg::call: calls visit(segment, heap, slot) for each row of the key that the snapshot sees in these segments,
// until it returns true. Says whether it did.
template <class Visit>
bool for_each_row(std::uint64_t segments, Purpose purpose, Datum key, Snapshot snapshot, Visit&& visit) {
  bool done = false;
  while (segments != 0 && !done) {
    int const segment = __builtin_ctzll(segments);
    segments &= segments - 1;
    OpenSegment opened;
    if (!open_segment(segment, purpose, opened)) continue;
    TupleTableSlot* const slot = table_slot_create(opened.heap, nullptr);
    ScanKeyData condition;
    ScanKeyInit(&condition, 1, BTEqualStrategyNumber, F_TEXTEQ, key);
    IndexScanDesc const scan = pg::begin_index_scan(opened.heap, opened.key, snapshot, 1);
    index_rescan(scan, &condition, 1, nullptr, 0);
    while (!done && index_getnext_slot(scan, ForwardScanDirection, slot)) done = visit(segment, opened.heap, slot);
    index_endscan(scan);
    ExecDropSingleTupleTableSlot(slot);
    close(opened);
  }
  return done;
}

// Removes whatever rows a key has. The caller holds the lock on the key, so nobody adds one meanwhile.
void remove_rows(Datum key, std::uint64_t hash);
// Whether the key has a row other than this one (tid may be null).
bool has_other_row(Datum key, std::uint64_t hash, int segment, ItemPointer tid);

inline Datum attribute(TupleTableSlot* slot, AttrNumber number, bool* null = nullptr) {
  bool unused = false;
  return slot_getattr(slot, number, null != nullptr ? null : &unused);
}

inline bool has_key(TupleTableSlot* slot, Datum key) {
  auto* const ours = reinterpret_cast<struct varlena*>(DatumGetPointer(attribute(slot, column::cache_key)));
  auto* const wanted = reinterpret_cast<struct varlena*>(DatumGetPointer(key));
  return VARSIZE_ANY_EXHDR(ours) == VARSIZE_ANY_EXHDR(wanted) &&
         std::memcmp(VARDATA_ANY(ours), VARDATA_ANY(wanted), VARSIZE_ANY_EXHDR(ours)) == 0;
}

}  // namespace audiostore::cache
