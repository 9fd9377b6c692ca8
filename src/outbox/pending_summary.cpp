#include "outbox/pending_summary.hpp"

#include <bit>

#include "monitor/database_slots.hpp"
#include "outbox/queue_row.hpp"
#include "pg/identity.hpp"

namespace audiostore::outbox {
namespace {

constexpr std::size_t kDatabases = 8;
constexpr std::size_t kWords = std::size_t{1} << 15;
constexpr std::size_t kBits = kWords * 64;
// Whoever needs the bits first reads this many pages himself; more are for the worker.
constexpr BlockNumber kFewBlocks = 64;
// Of all bits, the part that makes it worth looking whether fewer would do.
constexpr std::size_t kManyBits = kBits / 16;
// A page holds fewer rows than this.
constexpr std::size_t kMostRowsInBlock = 64;
constexpr std::uint16_t kReadingLock = 0xA510;

struct Summary {
  Oid database;
  Oid table;
  // Counts the sets of bits that were read: of the two, the one with its parity is the one to ask. 0: none yet.
  pg_atomic_uint64 epoch;
  // There are no packs while both are the same.
  pg_atomic_uint64 packs_noted;
  pg_atomic_uint64 packs_noted_when_empty;
  pg_atomic_uint64 bits[2][kWords];
};

Summary* summaries = nullptr;

void attach(void* memory, bool /*fresh*/) { summaries = static_cast<Summary*>(memory); }

void clear(Summary& summary, Oid table) {
  pg_atomic_write_u64(&summary.epoch, 0);
  pg_atomic_write_u64(&summary.packs_noted, 1);
  pg_atomic_write_u64(&summary.packs_noted_when_empty, 0);
  for (auto& half : summary.bits) {
    for (pg_atomic_uint64& word : half) pg_atomic_write_u64(&word, 0);
  }
  summary.database = MyDatabaseId;
  summary.table = table;
}

// That there is none is not remembered: another process may get one any time, and would count on our bits.
Summary* own_summary() {
  if (summaries == nullptr) return nullptr;
  Oid const table = pg::own_relation("operation_rows");
  if (!OidIsValid(table)) return nullptr;
  static Summary* known = nullptr;
  if (known != nullptr && known->table == table) return known;
  known = monitor::find_database_slot(std::span<Summary, kDatabases>(summaries, kDatabases), table, clear);
  return known;
}

struct Bit {
  std::size_t word;
  std::uint64_t mask;
};

std::uint64_t hash_of(std::string_view text, std::uint64_t seed) {
  return hash_bytes_extended(reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()), seed);
}

Bit bit_of(std::string_view store, std::string_view key) {
  std::uint64_t const hash = hash_of(key, hash_of(store, 0));
  return {.word = (hash >> 6) % kWords, .mask = std::uint64_t{1} << (hash & 63)};
}

void set(pg_atomic_uint64 (&half)[kWords], Bit bit) {
  pg_atomic_uint64& word = half[bit.word];
  if ((pg_atomic_read_u64(&word) & bit.mask) == 0) pg_atomic_fetch_or_u64(&word, bit.mask);
}

std::string_view text_in(TupleTableSlot* row, AttrNumber attribute) {
  bool null = false;
  const auto* const value = DatumGetTextPP(slot_getattr(row, attribute, &null));
  return {VARDATA_ANY(value), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(value))};
}

// Whatever lies there may be committed yet.
void set_all(Relation table, pg_atomic_uint64 (&half)[kWords]) {
  for (pg_atomic_uint64& word : half) pg_atomic_write_u64(&word, 0);
  pg_memory_barrier();
  TupleTableSlot* const row = table_slot_create(table, nullptr);
  TableScanDesc const scan = table_beginscan(table, SnapshotAny, 0, nullptr);
  MemoryContext const each = AllocSetContextCreate(CurrentMemoryContext, "audiostore summary", ALLOCSET_SMALL_SIZES);
  while (table_scan_getnextslot(scan, ForwardScanDirection, row)) {
    CHECK_FOR_INTERRUPTS();
    MemoryContext const outer = MemoryContextSwitchTo(each);
    if (text_in(row, column::kind) == "delete")
      set(half, bit_of(text_in(row, column::store), text_in(row, column::key)));
    MemoryContextSwitchTo(outer);
    MemoryContextReset(each);
  }
  MemoryContextDelete(each);
  table_endscan(scan);
  ExecDropSingleTupleTableSlot(row);
}

// A table that we emptied or wrote again ourselves may yet be the old one.
bool may_be_rolled_back(Relation table) { return CheckRelationLockedByMe(table, AccessExclusiveLock, true); }

// One process at a time; the others do without. `worthwhile(table)` decides.
template <class F>
void read_queue(Summary& summary, F&& worthwhile) {
  if (RecoveryInProgress()) return;
  pg::call([&] {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, summary.table, 0, kReadingLock);
    if (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL) return;
    if (Relation const table = try_relation_open(summary.table, AccessShareLock)) {
      if (!may_be_rolled_back(table) && worthwhile(table)) {
        std::uint64_t const next = pg_atomic_read_u64(&summary.epoch) + 1;
        set_all(table, summary.bits[next % 2]);
        pg_memory_barrier();
        pg_atomic_write_u64(&summary.epoch, next);
        ereport(DEBUG1, errmsg_internal("audiostore: noted which deletes are queued, for the %llu. time",
                                        static_cast<unsigned long long>(next)));
      }
      relation_close(table, AccessShareLock);
    }
    LockRelease(&tag, ExclusiveLock, false);
  });
}

std::size_t count_bits(Summary& summary, std::uint64_t epoch) {
  std::size_t count = 0;
  for (pg_atomic_uint64& word : summary.bits[epoch % 2]) {
    count += static_cast<std::size_t>(std::popcount(pg_atomic_read_u64(&word)));
  }
  return count;
}

}  // namespace

void init_pending_summary() {
  monitor::add_shared({sizeof(Summary) * kDatabases, "audiostore pending deletes", attach});
}

bool may_have_delete(std::string_view store, std::string_view key) {
  Summary* const summary = own_summary();
  if (summary == nullptr) return true;
  if (pg_atomic_read_u64(&summary->epoch) == 0) {
    read_queue(*summary, [](Relation table) { return RelationGetNumberOfBlocks(table) <= kFewBlocks; });
  }
  // The row that we ask for has been written: who looks for it and does not find it has set his bit.
  pg_memory_barrier();
  std::uint64_t const epoch = pg_atomic_read_u64(&summary->epoch);
  if (epoch == 0) return true;
  Bit const bit = bit_of(store, key);
  bool const is_set = (pg_atomic_read_u64(&summary->bits[epoch % 2][bit.word]) & bit.mask) != 0;
  // Otherwise these bits may be on their way to be the next ones.
  pg_read_barrier();
  return is_set || pg_atomic_read_u64(&summary->epoch) != epoch;
}

void note_delete(std::string_view store, std::string_view key) {
  Summary* const summary = own_summary();
  if (summary == nullptr) return;
  pg_memory_barrier();
  Bit const bit = bit_of(store, key);
  for (auto& half : summary->bits) set(half, bit);
}

bool may_have_packs() {
  Summary* const summary = own_summary();
  if (summary == nullptr) return true;
  pg_memory_barrier();
  std::uint64_t const when_empty = pg_atomic_read_u64(&summary->packs_noted_when_empty);
  pg_read_barrier();
  return pg_atomic_read_u64(&summary->packs_noted) != when_empty;
}

void note_packs() {
  Summary* const summary = own_summary();
  if (summary != nullptr) pg_atomic_fetch_add_u64(&summary->packs_noted, 1);
}

std::uint64_t packs_noted() {
  Summary* const summary = own_summary();
  return summary != nullptr ? pg_atomic_read_u64(&summary->packs_noted) : 0;
}

void note_no_packs(Relation packs, std::uint64_t noted) {
  Summary* const summary = own_summary();
  if (summary == nullptr || pg::call([&] { return may_be_rolled_back(packs); })) return;
  pg_atomic_write_u64(&summary->packs_noted_when_empty, noted);
}

void refresh_pending_summary() {
  Summary* const summary = own_summary();
  if (summary == nullptr) return;
  std::uint64_t const epoch = pg_atomic_read_u64(&summary->epoch);
  std::size_t const bits = epoch == 0 ? 0 : count_bits(*summary, epoch);
  if (epoch != 0 && bits < kManyBits) return;
  read_queue(*summary, [&](Relation table) {
    return epoch == 0 || RelationGetNumberOfBlocks(table) * kMostRowsInBlock < bits / 2;
  });
}

}  // namespace audiostore::outbox
