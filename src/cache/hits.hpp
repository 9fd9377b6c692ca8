// Hits of entries: counted in shared memory and folded into the rows later. Folding overwrites two fields of a row
// where it lies, as a hint: no new version, no WAL (but for a page's first change where checksums ask for it), no
// bloat. What would surprise you: it is not transactional, and a crash may take back what was folded since the last
// checkpoint.
#pragma once

#include "cache/counters.hpp"
#include "cache/lookup.hpp"

namespace audiostore::cache {

// A lookup that found this row: one more of the totals and of the row. Without shared memory one in kSampled writes to
// the row, and stands for all of them.
void count_hit(int segment, Relation heap, const ItemPointerData& tid, std::uint64_t hash, TimestampTz at);

// Inside pg::call; false when the row is not there any more.
bool add_hits(Relation heap, ItemPointerData tid, std::uint32_t tag, std::uint32_t count, TimestampTz last);

// Folds what was noted until now; inside a transaction. Says how many rows were changed.
std::int64_t fold_hits();

}  // namespace audiostore::cache
