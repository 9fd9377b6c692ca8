// Lookups: cache_get(), cache_get_many() and cache_entry(). The row is mostly where it was seen last; else one probe of
// the key index of the segment that holds it. Nothing is written, nothing is waited for. An entry expires by the clock,
// not by the beginning of the transaction.
#include "cache/hits.hpp"
#include "pg/arguments.hpp"
#include "pg/result_set.hpp"
#include "pg/settings.hpp"

extern "C" {
#include "utils/typcache.h"
}

namespace audiostore::cache {
namespace {

// Inside pg::call: makes a result of the row that was found.
using Make = Datum (*)(TupleTableSlot* slot);

Datum audio_of(TupleTableSlot* slot) {
  return PointerGetDatum(PG_DETOAST_DATUM_COPY(attribute(slot, column::audio_data)));
}

Datum row_of(TupleTableSlot* slot) {
  bool free = false;
  HeapTuple const tuple = ExecFetchSlotHeapTuple(slot, false, &free);
  TupleDesc const shape = lookup_rowtype_tupdesc(get_rel_type_id(relations().table), -1);
  Datum const row = heap_copy_tuple_as_datum(tuple, shape);
  ReleaseTupleDesc(shape);
  if (free) heap_freetuple(tuple);
  return row;
}

struct Lookup {
  Datum key = 0;
  std::uint64_t hash = 0;
  Make make = nullptr;
  Snapshot snapshot = nullptr;
  Datum result = 0;
};

// Inside pg::call: false when it has expired.
bool take(Lookup& lookup, int segment, Relation heap, TupleTableSlot* slot) {
  TimestampTz const now = GetCurrentTimestamp();
  if (DatumGetTimestampTz(attribute(slot, column::expires_at)) <= now) return false;
  lookup.result = lookup.make(slot);
  count_hit(segment, heap, slot->tts_tid, lookup.hash, now);
  return true;
}

// The row where the key was seen last, if it is still there: a row that the snapshot sees under this key is its only
// one. The lock comes before the look at the file's size: afterwards nobody makes it shorter.
bool take_remembered(Lookup& lookup, SharedCache& shared) {
  std::uint64_t const place = recall(shared, lookup.hash);
  if (place == 0) return false;
  int const segment = static_cast<int>(place >> 48) - 1;
  OpenSegment opened;
  if (!open_segment(segment, Purpose::peek, opened)) return false;
  ItemPointerData tid = tid_of(place);
  bool done = false;
  if (ItemPointerGetBlockNumber(&tid) < RelationGetNumberOfBlocks(opened.heap)) {
    TupleTableSlot* const slot = table_slot_create(opened.heap, nullptr);
    done = table_tuple_fetch_row_version(opened.heap, &tid, lookup.snapshot, slot) && has_key(slot, lookup.key) &&
           take(lookup, segment, opened.heap, slot);
    ExecDropSingleTupleTableSlot(slot);
  }
  close(opened);
  return done;
}

std::optional<Datum> look_up(Datum key, Make make) {
  Lookup lookup{.key = key, .hash = hash_of(pg::view(key)), .make = make, .snapshot = nullptr};
  SharedCache* const shared = relations().shared;
  bool found = pg::call([&] {
    lookup.snapshot = ActiveSnapshotSet() ? GetActiveSnapshot() : GetTransactionSnapshot();
    return shared != nullptr && take_remembered(lookup, *shared);
  });
  if (!found) {
    std::uint64_t const segments = segments_of(lookup.hash);
    found = pg::call([&] {
      return for_each_row(segments, Purpose::lookup, key, lookup.snapshot,
                          [&](int segment, Relation heap, TupleTableSlot* slot) {
                            if (!take(lookup, segment, heap, slot)) return false;
                            if (shared != nullptr) remember(*shared, lookup.hash, where(segment, slot->tts_tid));
                            return true;
                          });
    });
  }
  if (found) return lookup.result;
  count(Counted::misses);
  return std::nullopt;
}

Datum single(FunctionCallInfo info, Make make) {
  check_privilege(ACL_SELECT, "SELECT");
  std::optional<Datum> const found =
      pg::settings::caching() ? look_up(info->args[0].value, make) : std::optional<Datum>();
  info->isnull = !found;
  return found.value_or(Datum{0});
}

Datum get(FunctionCallInfo info) { return single(info, audio_of); }
Datum entry(FunctionCallInfo info) { return single(info, row_of); }

Datum get_many(FunctionCallInfo info) {
  check_privilege(ACL_SELECT, "SELECT");
  pg::ResultSet result(info);
  if (!pg::settings::caching()) return Datum{0};
  Datum* keys = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  pg::call([&] {
    deconstruct_array(DatumGetArrayTypeP(info->args[0].value), TEXTOID, -1, false, TYPALIGN_INT, &keys, &nulls, &count);
  });
  for (int i = 0; i < count; i++) {
    if (nulls[i]) continue;
    auto const found = look_up(keys[i], audio_of);
    if (found) result.add({{pg::varlena_datum(pg::view(keys[i])), false}, {*found, false}});
  }
  return Datum{0};
}

}  // namespace
}  // namespace audiostore::cache

AUDIOSTORE_FUNCTION(cache_get, audiostore::cache::get)
AUDIOSTORE_FUNCTION(cache_entry, audiostore::cache::entry)
AUDIOSTORE_FUNCTION(cache_get_many, audiostore::cache::get_many)
