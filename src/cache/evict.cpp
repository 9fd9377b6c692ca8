#include "cache/evict.hpp"

#include "cache/hits.hpp"
#include "cache/recycle.hpp"
#include "cache/row.hpp"
#include "cache/thin.hpp"
#include "outbox/enqueue.hpp"
#include "pg/arguments.hpp"
#include "pg/background.hpp"
#include "pg/identity.hpp"
#include "pg/memory_scope.hpp"
#include "pg/statement.hpp"

extern "C" {
#include "access/xlog.h"
}

namespace audiostore::cache {
namespace {

constexpr std::uint16_t kEvictionLock = 0xA503;
constexpr int kTries = 40;

bool try_to_lock(Oid relation, LOCKMODE mode) {
  for (int i = 0; i < kTries; i++) {
    if (pg::call([&] { return ConditionalLockRelationOid(relation, mode); })) return true;
    pg::check_interrupts();
    pg_usleep(500);
  }
  return false;
}

// Writers stay out from then on, readers do not.
bool lock_for_survey(int segment) { return try_to_lock(relations().heaps[segment], ExclusiveLock); }

// With its TOAST table, which somebody may be vacuuming.
bool lock_alone(int segment) {
  Oid const heap = relations().heaps[segment];
  if (!try_to_lock(heap, AccessExclusiveLock)) return false;
  Oid const toast = pg::call([&] {
    Relation const opened = table_open(heap, NoLock);
    Oid const found = opened->rd_rel->reltoastrelid;
    table_close(opened, NoLock);
    return found;
  });
  return !OidIsValid(toast) || try_to_lock(toast, AccessExclusiveLock);
}

// Inside pg::call. Nothing of the copy may point into the TOAST table of the segment that is to be emptied.
void read_row(TupleTableSlot* slot, Row& row) {
  TupleDesc const shape = slot->tts_tupleDescriptor;
  slot_getallattrs(slot);
  for (int i = 0; i < column::count; i++) {
    row.values[i] = slot->tts_values[i];
    row.nulls[i] = slot->tts_isnull[i];
    if (row.nulls[i] || TupleDescAttr(shape, i)->attlen != -1) continue;
    row.values[i] = PointerGetDatum(PG_DETOAST_DATUM_PACKED(row.values[i]));
  }
}

// False when the row has changed, or somebody has its key: it is replaced, or stays where it was.
bool copy_row(Relation heap, TupleTableSlot* slot, std::uint64_t from) {
  ItemPointerData tid = tid_of(from);
  Row row;
  std::uint64_t hash = 0;
  bool const found = pg::call([&] {
    Snapshot const snapshot = RegisterSnapshot(GetLatestSnapshot());
    bool const there = table_tuple_fetch_row_version(heap, &tid, snapshot, slot);
    if (there) read_row(slot, row);
    UnregisterSnapshot(snapshot);
    if (!there) return false;
    auto* const key = DatumGetTextPP(row.values[column::cache_key - 1]);
    hash = hash_of({VARDATA_ANY(key), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(key))});
    return lock_key(hash, false);
  });
  if (!found) return false;
  TimestampTz const expires = DatumGetTimestampTz(row.values[column::expires_at - 1]);
  int const target = segment_for(expires, std::max<std::int64_t>(expires - GetCurrentTimestamp(), 1), true);
  SharedCache* const shared = relations().shared;
  if (shared != nullptr) note_key(*shared, hash, target);
  Written const written = pg::call([&] { return insert_row(target, row, Amount::bulk); });
  if (shared != nullptr) remember(*shared, hash, where(target, written.tid));
  if (written.first_on_page && is_full(written.entries, written.bytes, limits())) close_segment(target);
  return true;
}

// The log of what was copied is written while the next rows are being copied, so that the commit, during which lookups
// miss, does not have to wait for all of it.
void start_writing_log() {
  pg::call([] { XLogSetAsyncXactLSN(GetXLogInsertRecPtr()); });
}

void copy_rows(int segment, const std::vector<std::uint64_t>& rows) {
  Oid const oid = relations().heaps[segment];
  Relation const heap = pg::call([&] { return table_open(oid, NoLock); });
  TupleTableSlot* const slot = pg::call([&] { return table_slot_create(heap, nullptr); });
  constexpr std::size_t kRowsOfLog = 128;
  std::size_t copied = 0;
  for (std::uint64_t const row : rows) {
    pg::check_interrupts();
    if (++copied % kRowsOfLog == 0) start_writing_log();
    pg::MemoryScope const memory("audiostore cache copy");
    copy_row(heap, slot, row);
    pg::call([&] { ExecClearTuple(slot); });
  }
  pg::call([&] {
    ExecDropSingleTupleTableSlot(slot);
    table_close(heap, NoLock);
    CommandCounterIncrement();
  });
}

void truncate(int segment) {
  Oid const heap = relations().heaps[segment];
  std::string const sql = "TRUNCATE audiostore_cache." + std::string(pg::call([&] { return get_rel_name(heap); }));
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  pg::call([&] { SPI_execute(sql.c_str(), false, 0); });
  note_emptied(segment);
  note_spare(segment, 0);
}

Removed classify(const std::vector<Surveyed>& rows, const Keep& keep, std::vector<std::uint64_t>& kept) {
  TimestampTz const now = GetCurrentTimestamp();
  Removed removed;
  for (Surveyed const& row : rows) {
    if (keep(row, now)) {
      kept.push_back(row.where);
    } else if (row.expires <= now) {
      removed.expired++;
    } else {
      removed.evicted++;
    }
  }
  return removed;
}

}  // namespace

bool lock_eviction(bool wait) {
  relations();
  return pg::call([&] {
    LOCKTAG tag;
    SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, relations().table, 0, kEvictionLock);
    return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
  });
}

namespace {

// Pages from which rows were deleted are no good for being used again.
bool is_mostly_dead(const std::vector<Surveyed>& rows, const FileBytes& files) {
  std::int64_t bytes = 0;
  for (Surveyed const& row : rows) bytes += row.size;
  return files.in_use > 2 * needed(static_cast<std::int64_t>(rows.size()), bytes);
}

bool thin(int segment, const std::vector<std::uint64_t>& kept) {
  pg::MemoryScope const memory("audiostore cache thinning");
  if (!pg::call([&] { return thin_in_place(segment, kept); })) return false;
  reopen_segment(segment);
  return true;
}

std::optional<Removed> empty_segment(int segment, const Keep& keep, Thinning thinning) {
  if (!lock_for_survey(segment)) return std::nullopt;
  std::vector<Surveyed> rows;
  FileBytes files;
  if (!survey_segment(segment, rows, files)) return std::nullopt;
  std::vector<std::uint64_t> kept;
  Removed const removed = classify(rows, keep, kept);
  if (!kept.empty() && thinning == Thinning::allowed) {
    if (!lock_alone(segment)) return std::nullopt;
    if (thin(segment, kept)) return removed;
  }
  if (!kept.empty()) {
    Excluded const not_into_itself(bit_of(segment));
    copy_rows(segment, kept);
  }
  if (!lock_alone(segment)) return std::nullopt;
  if (is_mostly_dead(rows, files) || !pg::call([&] { return empty_in_place(segment); })) truncate(segment);
  mark_empty(segment);
  return removed;
}

}  // namespace

std::optional<Removed> try_to_empty(int segment, const Keep& keep, Thinning thinning) {
  pg::Subtransaction scope;
  std::optional<Removed> const removed = empty_segment(segment, keep, thinning);
  if (removed) scope.commit();
  return removed;
}

bool give_back(int segment) {
  pg::Subtransaction scope;
  {
    pg::Spi const spi;
    pg::AsExtensionOwner const owner;
    static pg::Statement lock(
        "SELECT 1 FROM audiostore_cache.segments WHERE segment = $1 AND state = 'empty' FOR UPDATE SKIP LOCKED",
        {INT2OID});
    if (lock.execute({Int16GetDatum(static_cast<std::int16_t>(segment + 1))}) == 0) return false;
  }
  if (!lock_alone(segment)) return false;
  truncate(segment);
  scope.commit();
  return true;
}

Removed delete_rows(int segment, const Keep& keep) {
  std::vector<Surveyed> rows;
  FileBytes unused;
  Removed removed;
  if (!survey_segment(segment, rows, unused)) return removed;
  TimestampTz const now = GetCurrentTimestamp();
  Oid const oid = relations().heaps[segment];
  pg::call([&] {
    Relation const heap = table_open(oid, RowExclusiveLock);
    for (Surveyed const& row : rows) {
      if (keep(row, now)) continue;
      ItemPointerData tid = tid_of(row.where);
      if (!delete_row(heap, &tid, true)) continue;
      (row.expires <= now ? removed.expired : removed.evicted)++;
      CHECK_FOR_INTERRUPTS();
    }
    table_close(heap, NoLock);
    CommandCounterIncrement();
  });
  return removed;
}

void count_removed(const Removed& removed) {
  count(Counted::expired, removed.expired);
  count(Counted::evicted, removed.evicted);
}

Keep cutoff(std::vector<Surveyed> live, std::int64_t most, std::int64_t most_bytes) {
  auto const later = [](const Surveyed& a, const Surveyed& b) {
    return a.last != b.last ? a.last > b.last : a.where > b.where;
  };
  auto count = static_cast<std::size_t>(std::max<std::int64_t>(most, 0));
  if (most_bytes > 0) {
    std::sort(live.begin(), live.end(), later);
    std::int64_t sum = 0;
    std::size_t fitting = 0;
    while (fitting < live.size() && (sum += live[fitting].size) <= most_bytes) fitting++;
    count = std::min(count, fitting);
  }
  if (count >= live.size()) return {};
  if (count == 0) return {DT_NOEND, UINT64_MAX};
  std::nth_element(live.begin(), live.begin() + static_cast<std::ptrdiff_t>(count) - 1, live.end(), later);
  return {live[count - 1].last, live[count - 1].where};
}

namespace {

// Segment by segment, in the caller's transaction. Where most of a segment stays, rows go one by one.
Removed evict_now(const Survey& found, const Keep& keep, TimestampTz now) {
  Removed sum;
  std::int64_t going[kSegments] = {};
  for (Surveyed const& row : found.live) going[(row.where >> 48) - 1] += keep(row, now) ? 0 : 1;
  for (SegmentSurvey const& segment : found.segments) {
    std::int64_t const gone = going[segment.segment] + segment.expired;
    if (gone == 0) continue;
    std::optional<Removed> removed;
    if (segment.live + segment.expired - gone <= gone) removed = try_to_empty(segment.segment, keep, Thinning::allowed);
    sum += removed ? *removed : delete_rows(segment.segment, keep);
  }
  count_removed(sum);
  return sum;
}

// What is left to do: the worker, if there is one, gives space back that is not needed.
Datum end_eviction(std::int64_t removed) {
  if (SharedCache* const shared = relations().shared; shared != nullptr && removed > 0) {
    ask_for_survey(*shared);
    outbox::wake_at_commit();
  }
  return Int64GetDatum(removed);
}

Datum reused(FunctionCallInfo /*info*/) { return Int64GetDatum(reused_pages()); }

void begin_eviction(const char* what) {
  pg::call([&] { PreventCommandIfReadOnly(what); });
  check_privilege(ACL_DELETE, "DELETE");
  lock_eviction(true);
  note_keys_if_needed(INT32_MAX);
  fold_hits();
}

Datum evict_expired(FunctionCallInfo /*info*/) {
  begin_eviction("audiostore.evict_expired()");
  TimestampTz const now = GetCurrentTimestamp();
  // Most of what has expired lies in segments whose time is over: these need no survey.
  Removed sum;
  SegmentState known[kSegments];
  auto const current = states();
  std::copy(current.begin(), current.end(), std::begin(known));
  for (int i = 0; i < kSegments; i++) {
    if (!known[i].used || known[i].until > now) continue;
    if (auto const removed = try_to_empty(i, Keep{})) sum += *removed;
  }
  count_removed(sum);
  sum += evict_now(survey(now), Keep{}, now);
  return end_eviction(sum.expired);
}

Datum evict_lru(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  std::int64_t most = limits().entries;
  if (!arguments.null(0)) most = DatumGetInt32(arguments.datum(0, "max_entries"));
  if (most < 0) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "max_entries must not be negative",
                       "It is " + std::to_string(most) + ".");
  }
  begin_eviction("audiostore.evict_lru()");
  TimestampTz const now = GetCurrentTimestamp();
  Survey found = survey(now);
  Keep const keep = cutoff(found.live, most, arguments.null(0) ? limits().bytes : 0);
  // Entries that have expired take no room from others, and are not this function's business.
  for (SegmentSurvey& segment : found.segments) segment.expired = 0;
  return end_eviction(evict_now(found, keep, now).evicted);
}

}  // namespace
}  // namespace audiostore::cache

AUDIOSTORE_FUNCTION(evict_expired, audiostore::cache::evict_expired)
AUDIOSTORE_FUNCTION(evict_lru, audiostore::cache::evict_lru)
AUDIOSTORE_FUNCTION(cache_reused_pages, audiostore::cache::reused)
