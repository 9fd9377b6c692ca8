#include "cache/counters.hpp"

#include "cache/segments.hpp"
#include "pg/identity.hpp"
#include "pg/result_set.hpp"
#include "pg/statement.hpp"

extern "C" {
#include "access/xloginsert.h"
}

namespace audiostore::cache {
namespace {

struct Totals {
  std::int64_t of[kCounted] = {};

  std::int64_t& operator[](Counted what) { return of[static_cast<int>(what)]; }
  bool any() const {
    return std::any_of(std::begin(of), std::end(of), [](std::int64_t number) { return number != 0; });
  }
};

std::array<pg_atomic_uint64*, kCounted> list(Counters& c) {
  return {&c.hits, &c.misses, &c.puts, &c.expired, &c.evicted};
}

// Adding is not logged: a crash may lose it. Taking out is: what comes back after a crash would be counted twice.
enum class Logged { no, yes };

void note_change(Relation heap, Buffer buffer, Logged logged) {
  if (logged == Logged::no) {
    MarkBufferDirtyHint(buffer, true);
    return;
  }
  START_CRIT_SECTION();
  MarkBufferDirty(buffer);
  if (RelationNeedsWAL(heap)) log_newpage_buffer(buffer, true);
  END_CRIT_SECTION();
}

// Inside pg::call. Calls change(the row's five fields) with the page locked; nothing when the row is not there. The
// fields are eight bytes each and aligned, so nobody sees half of one.
template <class Change>
void change_row(Logged logged, Change&& change) {
  Relation const heap = table_open(relations().counters, AccessShareLock);
  TupleTableSlot* const slot = table_slot_create(heap, nullptr);
  Snapshot const snapshot = RegisterSnapshot(GetLatestSnapshot());
  TableScanDesc const scan = table_beginscan(heap, snapshot, 0, nullptr);
  ItemPointerData tid;
  bool const found = table_scan_getnextslot(scan, ForwardScanDirection, slot);
  if (found) tid = slot->tts_tid;
  ExecDropSingleTupleTableSlot(slot);
  table_endscan(scan);
  UnregisterSnapshot(snapshot);
  if (found) {
    Buffer const buffer = ReadBuffer(heap, ItemPointerGetBlockNumber(&tid));
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    Page const page = BufferGetPage(buffer);
    ItemId const item = PageGetItemId(page, ItemPointerGetOffsetNumber(&tid));
    if (ItemIdIsNormal(item)) {
      auto* const tuple = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, item));
      constexpr std::size_t kSize = kCounted * sizeof(std::int64_t);
      if ((tuple->t_infomask & HEAP_HASNULL) == 0 && ItemIdGetLength(item) >= tuple->t_hoff + kSize) {
        change(reinterpret_cast<std::int64_t*>(reinterpret_cast<char*>(tuple) + tuple->t_hoff));
        note_change(heap, buffer, logged);
      }
    }
    UnlockReleaseBuffer(buffer);
  }
  table_close(heap, NoLock);
}

void add_to_row(const Totals& totals) {
  if (RecoveryInProgress()) return;
  pg::call([&] {
    change_row(Logged::no, [&](std::int64_t* fields) {
      for (int i = 0; i < kCounted; i++) fields[i] += totals.of[i];
    });
  });
}

Totals read(bool take) {
  Totals totals;
  if (SharedCache* const shared = relations().shared) {
    int i = 0;
    for (pg_atomic_uint64* const counter : list(counters(*shared))) {
      totals.of[i++] =
          static_cast<std::int64_t>(take ? pg_atomic_exchange_u64(counter, 0) : pg_atomic_read_u64(counter));
    }
    return totals;
  }
  if (RecoveryInProgress()) return totals;
  pg::call([&] {
    change_row(take ? Logged::yes : Logged::no, [&](std::int64_t* fields) {
      for (int i = 0; i < kCounted; i++) {
        totals.of[i] = fields[i];
        if (take) fields[i] = 0;
      }
    });
  });
  return totals;
}

void add(const Totals& totals) {
  SharedCache* const shared = relations().shared;
  if (shared == nullptr) {
    add_to_row(totals);
    return;
  }
  int i = 0;
  for (pg_atomic_uint64* const counter : list(counters(*shared))) pg_atomic_fetch_add_u64(counter, totals.of[i++]);
}

bool sampled() {
  static std::uint64_t state = 0;
  if (state == 0) pg_strong_random(&state, sizeof(state));
  state = state * 6364136223846793005ULL + 1442695040888963407ULL;
  return (state >> 33) % kSampled == 0;
}

// What has not been saved yet, for cache_stats().
Datum unsaved_counters(FunctionCallInfo info) {
  Totals const totals = read(false);
  return pg::composite(info, {{Int64GetDatum(totals.of[0]), false},
                              {Int64GetDatum(totals.of[1]), false},
                              {Int64GetDatum(totals.of[2]), false},
                              {Int64GetDatum(totals.of[3]), false},
                              {Int64GetDatum(totals.of[4]), false}});
}

}  // namespace

bool count(Counted what) {
  if (SharedCache* const shared = relations().shared) {
    pg_atomic_fetch_add_u64(list(counters(*shared))[static_cast<std::size_t>(what)], 1);
    return false;
  }
  if (!sampled()) return false;
  count(what, kSampled);
  return true;
}

void count(Counted what, std::int64_t number) {
  if (number == 0) return;
  Totals totals;
  totals[what] = number;
  add(totals);
}

void save_counters() {
  Totals const taken = read(true);
  if (!taken.any()) return;
  try {
    pg::Spi const spi;
    pg::AsExtensionOwner const owner;
    static pg::Statement save(
        "INSERT INTO audiostore.cache_counters AS c (hour, hits, misses, puts, expired, evicted)"
        " VALUES (date_trunc('hour', clock_timestamp()), $1, $2, $3, $4, $5)"
        " ON CONFLICT (hour) DO UPDATE SET hits = c.hits + excluded.hits, misses = c.misses + excluded.misses,"
        " puts = c.puts + excluded.puts, expired = c.expired + excluded.expired, evicted = c.evicted + "
        "excluded.evicted",
        {INT8OID, INT8OID, INT8OID, INT8OID, INT8OID});
    save.execute({Int64GetDatum(taken.of[0]), Int64GetDatum(taken.of[1]), Int64GetDatum(taken.of[2]),
                  Int64GetDatum(taken.of[3]), Int64GetDatum(taken.of[4])});
  } catch (...) {
    add(taken);
    throw;
  }
}

}  // namespace audiostore::cache

AUDIOSTORE_FUNCTION(cache_unsaved_counters, audiostore::cache::unsaved_counters)
