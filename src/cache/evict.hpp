// Taking entries out. A segment is emptied as a whole: what shall stay is copied into other segments, then it is
// truncated, in one transaction. What would surprise you: an entry that is alive can be missed by a lookup for the few
// milliseconds between the truncation and the commit; it cannot be lost, and no lookup waits.
#pragma once

#include "cache/survey.hpp"
#include "pg/transactions.hpp"

namespace audiostore::cache {

// What stays: what has not expired, and was accessed last at this place in the order or later.
struct Keep {
  TimestampTz last = DT_NOBEGIN;
  std::uint64_t where = 0;

  bool operator()(const Surveyed& row, TimestampTz now) const {
    return row.expires > now && (row.last != last ? row.last > last : row.where >= where);
  }
};

struct Removed {
  std::int64_t expired = 0;
  std::int64_t evicted = 0;

  Removed& operator+=(const Removed& other) {
    expired += other.expired;
    evicted += other.evicted;
    return *this;
  }
};

// Nobody else evicts or folds until the transaction ends. False when somebody does and wait is not asked for.
bool lock_eviction(bool wait);

// Nothing, with nothing done, when somebody is using it for longer than a moment. What stays is copied into other
// segments, or with thinning, where that is possible, stays in this one.
enum class Thinning { none, allowed };
std::optional<Removed> try_to_empty(int segment, const Keep& keep, Thinning thinning = Thinning::none);
// Gives the space that an empty segment keeps back to the file system. False when somebody is opening it.
bool give_back(int segment);
// Row by row, for a segment most of which stays.
Removed delete_rows(int segment, const Keep& keep);

void count_removed(const Removed& removed);

// The entry above which `most` entries, and so many bytes (0: any), lie in the order of their last access.
Keep cutoff(std::vector<Surveyed> live, std::int64_t most, std::int64_t most_bytes);

}  // namespace audiostore::cache
