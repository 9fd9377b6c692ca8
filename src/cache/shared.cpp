// Shared memory is plain C data, all zeros at first: what is never used is never touched. Words are changed by atomic
// operations alone; hits lie in buckets of eight under a spinlock each, and a bucket that is full loses hits (of rows;
// the totals do not) until the worker comes.
#include "cache/shared.hpp"

#include "monitor/database_slots.hpp"
#include "monitor/wake.hpp"

extern "C" {
#include "storage/spin.h"
}

namespace audiostore::cache {
namespace {

constexpr int kCaches = 4;
constexpr std::size_t kWords = std::size_t{1} << 19;
constexpr int kBuckets = 1 << 15;
constexpr std::size_t kPlaces = std::size_t{1} << 18;
constexpr std::uint64_t kManyHits = std::uint64_t{kBuckets} * kHitsInPart / 4;

struct Bucket {
  slock_t lock;
  Hit hits[kHitsInPart];
};

}  // namespace

struct SharedCache {
  Oid database;
  Oid table;
  pg_atomic_uint32 complete;
  pg_atomic_uint32 woken;
  Counters counters;
  pg_atomic_uint64 noted;  // hits since the last taking out
  pg_atomic_uint64 surveyed_entries, surveyed_bytes, added_entries, added_bytes;
  Recycling recycling[kSegments];
  pg_atomic_uint64 words[kWords];
  pg_atomic_uint64 places[kPlaces];
  Bucket buckets[kBuckets];
};

namespace {

SharedCache* caches = nullptr;

void attach(void* memory, bool /*fresh*/) { caches = static_cast<SharedCache*>(memory); }

void clear(SharedCache& shared, Oid table) {
  if (!OidIsValid(shared.database)) {
    for (Bucket& bucket : shared.buckets) SpinLockInit(&bucket.lock);
  }
  shared.database = MyDatabaseId;
  shared.table = table;
  for (pg_atomic_uint64& word : shared.words) pg_atomic_write_u64(&word, 0);
  for (pg_atomic_uint64& place : shared.places) pg_atomic_write_u64(&place, 0);
  Hit dropped[kHitsInPart];
  for (int part = 0; part >= 0;) part = take_hits(shared, part, dropped);
  for (auto* number : {&shared.complete, &shared.woken}) pg_atomic_write_u32(number, 0);
  Counters& c = shared.counters;
  for (auto* number : {&c.hits, &c.misses, &c.puts, &c.expired, &c.evicted, &shared.noted, &shared.surveyed_entries,
                       &shared.surveyed_bytes, &shared.added_entries, &shared.added_bytes}) {
    pg_atomic_write_u64(number, 0);
  }
  for (Recycling& one : shared.recycling) {
    for (auto* number : {&one.next, &one.end, &one.spare}) pg_atomic_write_u32(number, 0);
    pg_atomic_write_u64(&one.reused, 0);
  }
}

Bucket& bucket_of(SharedCache& shared, std::uint64_t where) {
  return shared.buckets[(where * 0x9E3779B97F4A7C15ULL) >> 49];
}

}  // namespace

void init_shared() { monitor::add_shared({sizeof(SharedCache) * kCaches, "audiostore cache", attach}); }

SharedCache* find_shared(Oid table) {
  if (caches == nullptr) return nullptr;
  return monitor::find_database_slot(std::span<SharedCache, kCaches>(caches, kCaches), table, clear);
}

Counters& counters(SharedCache& shared) noexcept { return shared.counters; }

Recycling& recycling(SharedCache& shared, int segment) noexcept { return shared.recycling[segment]; }

std::uint64_t candidates(SharedCache& shared, std::uint64_t hash, std::uint64_t used) noexcept {
  if (!is_complete(shared)) return used;
  WordPair const words = words_of(hash, kWords);
  return pg_atomic_read_u64(&shared.words[words.first]) & pg_atomic_read_u64(&shared.words[words.second]);
}

bool is_complete(SharedCache& shared) noexcept { return pg_atomic_read_u32(&shared.complete) != 0; }

void set_complete(SharedCache& shared) noexcept {
  pg_memory_barrier();
  pg_atomic_write_u32(&shared.complete, 1);
}

void note_key(SharedCache& shared, std::uint64_t hash, int segment) noexcept {
  WordPair const words = words_of(hash, kWords);
  std::uint64_t const bit = bit_of(segment);
  for (std::size_t const word : {words.first, words.second}) {
    if ((pg_atomic_read_u64(&shared.words[word]) & bit) == 0) pg_atomic_fetch_or_u64(&shared.words[word], bit);
  }
}

void forget_segment(SharedCache& shared, int segment) noexcept {
  std::uint64_t const bit = bit_of(segment);
  for (pg_atomic_uint64& word : shared.words) {
    if ((pg_atomic_read_u64(&word) & bit) != 0) pg_atomic_fetch_and_u64(&word, ~bit);
  }
}

std::uint64_t recall(SharedCache& shared, std::uint64_t hash) noexcept {
  pg_atomic_uint64* const set = &shared.places[place_set(hash, kPlaces)];
  for (std::size_t i = 0; i < kPlacesInSet; i++) {
    std::uint64_t const place = pg_atomic_read_u64(&set[i]);
    if (is_place_of(place, hash)) return unpack_place(place);
  }
  return 0;
}

void remember(SharedCache& shared, std::uint64_t hash, std::uint64_t where) noexcept {
  std::uint64_t const place = pack_place(hash, where);
  if (place == 0) return;
  pg_atomic_uint64* const set = &shared.places[place_set(hash, kPlaces)];
  // Where all are taken one goes that nothing speaks for: which, depends on both keys.
  std::size_t slot = (where ^ hash) % kPlacesInSet;
  for (std::size_t i = kPlacesInSet; i-- > 0;) {
    std::uint64_t const other = pg_atomic_read_u64(&set[i]);
    if (other == 0) slot = i;
    if (is_place_of(other, hash)) {
      slot = i;
      break;
    }
  }
  pg_atomic_write_u64(&set[slot], place);
}

void note_hit(SharedCache& shared, std::uint64_t where, std::uint32_t tag, TimestampTz at) noexcept {
  Bucket& bucket = bucket_of(shared, where);
  SpinLockAcquire(&bucket.lock);
  Hit* mine = nullptr;
  for (Hit& hit : bucket.hits) {
    if (hit.where == where && hit.tag == tag) {
      mine = &hit;
      break;
    }
    if (hit.where == 0 && mine == nullptr) mine = &hit;
  }
  if (mine != nullptr) {
    if (mine->where == 0) *mine = {where, tag, 0, at};
    mine->count++;
    mine->last = std::max(mine->last, at);
  }
  SpinLockRelease(&bucket.lock);
  if (pg_atomic_add_fetch_u64(&shared.noted, 1) == kManyHits || mine == nullptr) monitor::wake(MyDatabaseId);
}

int take_hits(SharedCache& shared, int part, Hit* hits) noexcept {
  Bucket& bucket = shared.buckets[part];
  if (part == 0) pg_atomic_write_u64(&shared.noted, 0);
  SpinLockAcquire(&bucket.lock);
  std::copy(std::begin(bucket.hits), std::end(bucket.hits), hits);
  std::memset(static_cast<void*>(bucket.hits), 0, sizeof(bucket.hits));
  SpinLockRelease(&bucket.lock);
  return part + 1 < kBuckets ? part + 1 : -1;
}

bool has_counts(SharedCache& shared) noexcept {
  Counters& c = shared.counters;
  std::initializer_list<pg_atomic_uint64*> const all = {&shared.noted, &c.hits,    &c.misses,
                                                        &c.puts,       &c.expired, &c.evicted};
  return std::any_of(all.begin(), all.end(), [](auto* number) { return pg_atomic_read_u64(number) > 0; });
}

void set_surveyed(SharedCache& shared, std::int64_t entries, std::int64_t bytes) noexcept {
  pg_atomic_write_u64(&shared.surveyed_entries, static_cast<std::uint64_t>(entries));
  pg_atomic_write_u64(&shared.surveyed_bytes, static_cast<std::uint64_t>(bytes));
  pg_atomic_write_u64(&shared.added_entries, 0);
  pg_atomic_write_u64(&shared.added_bytes, 0);
  pg_atomic_write_u32(&shared.woken, 0);
}

bool add_entry(SharedCache& shared, std::int64_t bytes, const Limits& limits) noexcept {
  std::uint64_t const entries =
      pg_atomic_add_fetch_u64(&shared.added_entries, 1) + pg_atomic_read_u64(&shared.surveyed_entries);
  std::uint64_t const sum =
      pg_atomic_add_fetch_u64(&shared.added_bytes, bytes) + pg_atomic_read_u64(&shared.surveyed_bytes);
  bool const over = entries > static_cast<std::uint64_t>(limits.entries) ||
                    (limits.bytes > 0 && sum > static_cast<std::uint64_t>(limits.bytes));
  return over && pg_atomic_exchange_u32(&shared.woken, 1) == 0;
}

void ask_for_survey(SharedCache& shared) noexcept { pg_atomic_write_u32(&shared.woken, 1); }

bool over_limit(SharedCache& shared) noexcept { return pg_atomic_read_u32(&shared.woken) != 0; }

}  // namespace audiostore::cache
