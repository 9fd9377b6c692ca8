// Between two looks at the database: the store is asked about each suspect, now. And the judgement, which is pure.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/candidate.hpp"
#include "audit/evidence.hpp"
#include "base/task.hpp"
#include "store/store.hpp"

namespace audiostore::audit {

struct Suspect {
  Candidate candidate;
  Evidence before;
  std::optional<store::ObjectInfo> now;  // what the store has under this key; none: nothing
  std::string digest;                    // SHA-256 of its bytes, 32 octets, where they were asked for
  std::string unreadable;                // why they could not be read
};
using Suspects = std::vector<Suspect>;

enum class Suspicion { unfounded, founded, unclear };

// Whether what the database says lets a candidate stand.
bool still_suspicious(const Candidate& candidate, const Evidence& evidence);

// Fills in `now` and `digest`. The suspects' keys lie in the span; where listing is quicker than asking one by one, it
// is listed again. Store and suspects outlive the task. Throws what the store says, where repeating may change it.
Task<void> ask_store(store::Store& store, Suspects& suspects, KeySpan span);

// After the second look. Unclear: a row was changed in between, and may be looked at again. `witness` is the row.
Suspicion judge(const Suspect& suspect, const Evidence& after, TimePoint cutoff, const RowEvidence*& witness);

}  // namespace audiostore::audit
