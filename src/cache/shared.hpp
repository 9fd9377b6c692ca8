// What the processes of a database tell each other about its cache: where a key may be, which entries were hit, and
// counters. What would surprise you: nothing of it is needed for right answers. Where it is missing (the library is not
// preloaded, or more databases have a cache than there is room for) lookups try every segment that is in use, and hits
// are sampled.
#pragma once

#include "cache/ring.hpp"
#include "cache/summary.hpp"
#include "pg/guard.hpp"

namespace audiostore::cache {

struct Hit {
  std::uint64_t where;  // segment, block and offset of the row; 0: nobody's
  std::uint32_t tag;    // of the key's hash: the row may have become another's
  std::uint32_t count;
  TimestampTz last;
};

struct Counters {
  pg_atomic_uint64 hits, misses, puts, expired, evicted;
};

struct SharedCache;  // one for each database

// Adds to what the launcher's library asks for; before monitor::init_shared().
void init_shared();

// Of this database and this table; null where there is none.
SharedCache* find_shared(Oid table);

Counters& counters(SharedCache& shared) noexcept;

// The segments that may hold the key; all of `used` until every key has been noted.
std::uint64_t candidates(SharedCache& shared, std::uint64_t hash, std::uint64_t used) noexcept;
bool is_complete(SharedCache& shared) noexcept;
void set_complete(SharedCache& shared) noexcept;
// Before the row is written.
void note_key(SharedCache& shared, std::uint64_t hash, int segment) noexcept;
// The segment is empty, and nobody can write to it yet.
void forget_segment(SharedCache& shared, int segment) noexcept;

// Where the row of a key was found or put last (as where() says; 0: not known): a hint, which may be of a row that is
// gone, or another key's.
std::uint64_t recall(SharedCache& shared, std::uint64_t hash) noexcept;
void remember(SharedCache& shared, std::uint64_t hash, std::uint64_t where) noexcept;

// One lookup that found this row.
void note_hit(SharedCache& shared, std::uint64_t where, std::uint32_t tag, TimestampTz at) noexcept;
// Takes out what was noted, a part at a time: `part` counts up from 0 until it returns -1. Room for kHitsInPart.
inline constexpr int kHitsInPart = 8;
int take_hits(SharedCache& shared, int part, Hit* hits) noexcept;
// Whether there are hits or counts that were not taken out yet.
bool has_counts(SharedCache& shared) noexcept;

// Pages of a segment's TOAST table that may be used again: those from `next` to `end` were not looked at yet.
struct Recycling {
  pg_atomic_uint32 next, end;
  pg_atomic_uint32 spare;   // pages that it kept when it was emptied last
  pg_atomic_uint64 reused;  // pages, for whoever wants to know
};
Recycling& recycling(SharedCache& shared, int segment) noexcept;

// How full the cache is, for waking the worker before its time: entries and bytes as surveyed, and added since.
void set_surveyed(SharedCache& shared, std::int64_t entries, std::int64_t bytes) noexcept;
// True once when a limit is passed, until the next survey.
bool add_entry(SharedCache& shared, std::int64_t bytes, const Limits& limits) noexcept;
// Asks for a survey on account of something else.
void ask_for_survey(SharedCache& shared) noexcept;
// Whether a limit was passed, or somebody asked, since the last survey.
bool over_limit(SharedCache& shared) noexcept;

}  // namespace audiostore::cache
