#include "cache/lookup.hpp"

#include "cache/row.hpp"
#include "cache/survey.hpp"

namespace audiostore::cache {
namespace {

// After a restart, where there is no worker that has done it: a few thousand rows are read by whoever needs them first.
// Not on a standby: rows come to be there without anybody noting their keys.
void note_keys_once() {
  constexpr std::int64_t kFewBlocks = 2000;
  static bool tried = false;
  if (tried || RecoveryInProgress()) return;
  tried = true;
  note_keys_if_needed(kFewBlocks);
}

}  // namespace

std::uint64_t segments_of(std::uint64_t hash) {
  note_keys_once();
  SharedCache* const shared = relations().shared;
  if (shared != nullptr && is_complete(*shared)) return candidates(*shared, hash, 0);
  pg::call([] { AcceptInvalidationMessages(); });
  return used_segments();
}

void remove_rows(Datum key, std::uint64_t hash) {
  bool again = true;
  while (again) {
    again = false;
    std::uint64_t const segments = segments_of(hash);
    pg::call([&] {
      for_each_row(segments, Purpose::change, key, SnapshotSelf, [&](int, Relation heap, TupleTableSlot* slot) {
        // A new version of it may lie anywhere: look again.
        if (!delete_row(heap, &slot->tts_tid, true)) again = true;
        return false;
      });
      CommandCounterIncrement();
    });
  }
}

bool has_other_row(Datum key, std::uint64_t hash, int segment, ItemPointer tid) {
  std::uint64_t const segments = segments_of(hash);
  return pg::call([&] {
    return for_each_row(segments, Purpose::change, key, SnapshotSelf, [&](int in, Relation, TupleTableSlot* slot) {
      return tid == nullptr || in != segment || !ItemPointerEquals(&slot->tts_tid, tid);
    });
  });
}

}  // namespace audiostore::cache
