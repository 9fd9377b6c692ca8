// Settling: writes down what became of claimed operations. Touches only what this process still has claimed, so
// that an operation taken over after a lost lease is left to its new claimant.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "outbox/claim.hpp"

namespace audiostore::outbox {

struct Outcome {
  std::int64_t id = 0;
  ItemPointerData tid{};  // done: where the claim left the row, where that is known
  std::int64_t pack = 0;  // none
  enum class Result {
    done,
    copied,  // a move whose copy is in place: what is left is the delete of its source
    failed,
    unsent,  // nothing was sent, and not through its own fault: the attempt does not count
  } result = Result::unsent;
  bool receipt = false;                    // done: somebody waits for it
  std::string etag = {};                   // done, with a receipt: of the source of a copy
  bool in_doubt = false;                   // failed, unsent: an attempt may have reached the store
  std::string error = {};                  // failed
  std::optional<TimePoint> retry_at = {};  // failed: none makes it dead
  std::string key = {};                    // copied
  std::string store = {};                  // copied
  bool move = false;                       // failed: it was a move
};

// What an outcome, or an alert, says of an error.
std::string described(const Error& error);

// All the deletes of a pack that were claimed.
struct PackOutcome {
  std::int64_t id = 0;
  ItemPointerData tid{};
  std::vector<Outcome> outcomes;
};

// Inside the caller's transaction.
void settle(const std::vector<Outcome>& outcomes);

// Keeps claims that are still worked on.
void extend_leases(const std::vector<std::int64_t>& ids, TimePoint until);

}  // namespace audiostore::outbox
