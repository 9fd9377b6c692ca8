// The segments as relations, and what this process knows of their states. What would surprise you: a lookup never waits
// for the lock on a segment: one that is being emptied is passed over, which is a miss. States are read again when a
// relcache invalidation of audiostore_cache.segments says so; whoever changes a state sends it.
#pragma once

#include <span>

#include "cache/ring.hpp"
#include "cache/shared.hpp"
#include "pg/guard.hpp"

namespace audiostore::cache {

// Columns of audio_chunk_cache, in the order of table.sql.
namespace column {
enum : AttrNumber {
  id = 1,
  cache_key,
  audio_data,
  format,
  duration_ms,
  sample_rate,
  channels,
  compression,
  storage_path,
  metadata,
  created_at,
  expires_at,
  hit_count,
  last_accessed_at,
  store,
  segment,
  count = segment
};
}

struct Relations {
  Oid table = InvalidOid;     // audio_chunk_cache
  Oid states = InvalidOid;    // segments
  Oid counters = InvalidOid;  // sampled_counters
  Oid policies = InvalidOid;  // cache_archive_policies
  Oid heaps[kSegments] = {};
  Oid keys[kSegments] = {};  // their primary keys
  SharedCache* shared = nullptr;
};

// Throws 42P01 when the extension's tables are not there.
const Relations& relations();

// Another number than before when cache_archive_policies may have changed.
std::uint64_t policies_version();

// As committed now, or by this transaction.
std::span<const SegmentState> states();
std::uint64_t used_segments();

// Checks a privilege on the table for the calling role; throws 42501.
void check_privilege(AclMode mode, const char* what);

// Opens a segment and its key index; for a lookup false when somebody is emptying it. A change waits: the emptying may
// yet be rolled back, and the row that it would have taken be there again. Inside pg::call.
enum class Purpose { lookup, change, peek };  // peek: as a lookup, without the index
struct OpenSegment {
  Relation heap = nullptr;
  Relation key = nullptr;
};
bool open_segment(int segment, Purpose purpose, OpenSegment& opened);
void close(OpenSegment& opened);  // keeps the locks

// A segment for an entry that expires then, locked for writing. Opens one where that is due.
int segment_for(TimestampTz expires, std::int64_t time_to_live, bool may_use_reserve);
// It is full: it takes no more entries unless there is no other.
void close_segment(int segment);
// There is room in it again.
void reopen_segment(int segment);
// It has just been truncated by this transaction.
void mark_empty(int segment);

// While one lives, this process puts nothing into these segments.
class Excluded {
 public:
  explicit Excluded(std::uint64_t segments);
  ~Excluded();
  Excluded(const Excluded&) = delete;
  Excluded& operator=(const Excluded&) = delete;

 private:
  std::uint64_t before_;
};

Limits limits();

}  // namespace audiostore::cache
