// What lies in the segments: read from the rows themselves, without their audio.
#pragma once

#include <vector>

#include "cache/lookup.hpp"

namespace audiostore::cache {

struct Surveyed {
  std::uint64_t where;
  TimestampTz last;
  TimestampTz expires;
  std::int64_t size;  // of the audio
};

// Bytes of files that so many entries with so many bytes of audio need.
inline std::int64_t needed(std::int64_t entries, std::int64_t bytes) { return bytes + bytes / 4 + entries * 400; }

// Of a segment's heap and its TOAST table.
struct FileBytes {
  std::int64_t all = 0;
  std::int64_t in_use = 0;  // without pages that are to be used again
};

struct SegmentSurvey {
  int segment = -1;
  std::int64_t live = 0, live_bytes = 0;
  std::int64_t expired = 0;
  FileBytes files;
  TimestampTz last_expiry = 0;  // of the live ones
};

// Calls visit for each row that is committed, or this transaction's. False when the segment is being emptied.
bool survey_segment(int segment, std::vector<Surveyed>& rows, FileBytes& bytes);

// Of a segment as it is, without reading its rows; nothing when somebody is emptying it.
std::optional<FileBytes> measure_files(int segment);

struct Survey {
  std::vector<SegmentSurvey> segments;  // those in use
  std::vector<Surveyed> live;
  std::int64_t entries = 0, bytes = 0;
};
Survey survey(TimestampTz now);

// Notes the keys of all rows there are, so that lookups need not try every segment. False when it could not look
// everywhere; nothing is lost then. Only up to so many blocks.
bool note_all_keys(SharedCache& shared, std::int64_t most_blocks);
void note_keys_if_needed(std::int64_t most_blocks);

}  // namespace audiostore::cache
