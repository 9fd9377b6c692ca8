// Which segment an entry goes to: pure decisions. Entries that expire at about the same time lie together, so that a
// segment can be emptied as a whole soon after its first entry has expired: one that is opened for an entry takes what
// expires within a quarter of that entry's time to live after it. What would surprise you: when segments run short the
// quarter grows, up to "anything": entries then stay longer than they must, but they always find a place.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <span>

namespace audiostore::cache {

inline constexpr int kSegments = 64;  // as many as a word has bits
// Left for moving entries out of segments that are to be emptied.
inline constexpr int kReserve = 4;
// A segment is full with so many parts of the cache's limits: what one eviction takes at least.
inline constexpr int kParts = 20;
inline constexpr std::int64_t kLeastSlack = 250'000;  // microseconds

struct SegmentState {
  bool used = false;       // open or closed
  bool open = false;       // takes entries
  std::int64_t until = 0;  // microseconds
};

struct Placement {
  int segment = -1;    // index; -1: open another one, or where that is not possible wait
  bool opens = false;  // open an empty one until then
  std::int64_t until = 0;
};

// How much later than an entry its segment may end.
inline std::int64_t slack(std::int64_t time_to_live, int empty_segments) {
  if (empty_segments <= kReserve) return INT64_MAX / 4;
  std::int64_t part = time_to_live / 4;
  if (empty_segments <= kSegments / 2) part = time_to_live / 2;
  if (empty_segments <= kSegments / 4) part = time_to_live;
  return part < kLeastSlack ? kLeastSlack : part;
}

inline int count_empty(std::span<const SegmentState> segments) {
  int empty = 0;
  for (SegmentState const& segment : segments) empty += segment.used ? 0 : 1;
  return empty;
}

// The open segment that ends first of those that end soon enough after this entry.
inline int find_open(std::span<const SegmentState> segments, std::int64_t expires, std::int64_t most_slack) {
  int best = -1;
  for (std::size_t i = 0; i < segments.size(); i++) {
    SegmentState const& segment = segments[i];
    if (!segment.open || segment.until < expires || segment.until - expires > most_slack) continue;
    if (best < 0 || segment.until < segments[static_cast<std::size_t>(best)].until) best = static_cast<int>(i);
  }
  return best;
}

// Any used segment: the one whose end is nearest, one that ends too early only where there is no other.
inline int find_nearest(std::span<const SegmentState> segments, std::int64_t expires) {
  int best = -1;
  for (std::size_t i = 0; i < segments.size(); i++) {
    if (!segments[i].used) continue;
    if (best < 0) {
      best = static_cast<int>(i);
      continue;
    }
    SegmentState const& other = segments[static_cast<std::size_t>(best)];
    bool const late = segments[i].until >= expires;
    bool const other_late = other.until >= expires;
    bool const nearer = std::llabs(segments[i].until - expires) < std::llabs(other.until - expires);
    if (late != other_late ? late : nearer) best = static_cast<int>(i);
  }
  return best;
}

// may_use_reserve: for who empties segments.
inline Placement place(std::span<const SegmentState> segments, std::int64_t expires, std::int64_t time_to_live,
                       bool may_use_reserve) {
  int const empty = count_empty(segments);
  int const found = find_open(segments, expires, slack(time_to_live, empty));
  if (found >= 0) return {.segment = found};
  if (empty > (may_use_reserve ? 0 : kReserve)) {
    std::int64_t const most = time_to_live > kLeastSlack ? time_to_live : kLeastSlack;
    std::int64_t const room = slack(time_to_live, empty);
    return {.segment = -1, .opens = true, .until = expires + (room < most ? room : most)};
  }
  return {.segment = find_nearest(segments, expires)};
}

struct Limits {
  std::int64_t entries;
  std::int64_t bytes;  // 0: none
};

inline bool is_full(std::int64_t entries, std::int64_t bytes, const Limits& limits) {
  constexpr std::int64_t kMost = std::int64_t{4} << 30;
  std::int64_t const most_entries = limits.entries / kParts < 64 ? 64 : limits.entries / kParts;
  std::int64_t most_bytes = limits.bytes > 0 ? limits.bytes / kParts : kMost;
  if (most_bytes > kMost) most_bytes = kMost;
  return entries >= most_entries || bytes >= most_bytes;
}

// What a segment's files hold besides what they are needed for.
struct Storage {
  bool used = false;
  std::int64_t in_use = 0;
  std::int64_t spare = 0;  // kept for being used again
};

// So much may be kept for being used again: a sixteenth of what is in use in empty segments, which is about as much as
// the next segment needs, and a quarter of it where entries are.
enum class Keeps { empty, used };
inline std::int64_t spare_allowed(std::span<const Storage> segments, Keeps where) {
  constexpr std::int64_t kLeast = std::int64_t{1} << 20;
  std::int64_t in_use = 0;
  for (Storage const& segment : segments) in_use += segment.in_use;
  std::int64_t const part = in_use / (where == Keeps::empty ? 16 : 4);
  return part > kLeast ? part : kLeast;
}

// The segments that are to give back what they keep, as a set: those that keep most, until no more is kept than
// allowed. may_go says which can.
template <class MayGo>
std::uint64_t to_give_back(std::span<const Storage> segments, std::int64_t allowed, MayGo&& may_go) {
  std::int64_t kept = 0;
  for (Storage const& segment : segments) kept += segment.spare;
  std::uint64_t chosen = 0;
  while (kept > allowed) {
    int largest = -1;
    for (std::size_t i = 0; i < segments.size(); i++) {
      if (segments[i].spare == 0 || ((chosen >> i) & 1) != 0 || !may_go(segments[i])) continue;
      if (largest < 0 || segments[i].spare > segments[static_cast<std::size_t>(largest)].spare) {
        largest = static_cast<int>(i);
      }
    }
    if (largest < 0) break;
    chosen |= std::uint64_t{1} << static_cast<unsigned>(largest);
    kept -= segments[static_cast<std::size_t>(largest)].spare;
  }
  return chosen;
}

// An empty one gives it back at once.
inline bool is_empty(const Storage& segment) { return !segment.used; }
// Entries have to be copied out of the others before: not for too little.
inline bool is_sparse(const Storage& segment) { return segment.used && segment.spare > segment.in_use; }

}  // namespace audiostore::cache
