// Claiming: picks what is due in a store, counts the attempt, checks every delete again against all tracked
// columns, and leaves the rest to be worked on without a transaction. Runs inside the caller's transaction, whose
// commit must reach the disk before the first request is sent: a lost claim would let a row take back a delete
// that is on the wire.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "outbox/due_scan.hpp"
#include "outbox/enqueue.hpp"
#include "pg/statement.hpp"
#include "store/store.hpp"
#include "tracking/holders.hpp"

namespace audiostore::outbox {

struct Operation {
  std::int64_t id = 0;
  ItemPointerData tid{};  // of the claimed version, where it is known; of the pack, where it is in one
  std::int64_t pack = 0;  // none
  Kind kind = Kind::del;
  std::string key;
  std::string target_store;
  std::string target;
  int attempts = 0;  // this one included
  bool in_doubt = false;
  bool receipt = false;            // somebody waits for the end of it
  std::vector<std::string> parts;  // put: objects of the same store that it is made of, instead of a payload
  std::uint64_t parts_size = 0;    // together
  std::string etag;                // copy that is done: of its source
  store::PutOptions options;
  Bytes payload;
};

struct ClaimRequest {
  std::string store;
  TimePoint now;
  Milliseconds lease;
  std::size_t limit = 0;
  std::size_t payload_limit = 0;  // octets; at least one put is claimed whatever its size
  Position after;
  Position after_packs;
};

struct Claim {
  std::vector<Operation> operations;
  Position reached;
  Position reached_packs;
  bool full = false;          // there may be more that is due
  std::size_t cancelled = 0;  // deletes whose object a live row holds
  std::size_t put_back = 0;   // deletes whose key a transaction in progress holds
};

// Whether live rows hold a key could not be found out: a live_when raised an error, say. The transaction is still good.
class CannotJudge : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

Claim claim(const ClaimRequest& request);

// What Holders says of these keys (sorted); nothing where no column tracks the store. Throws CannotJudge.
std::vector<tracking::Holding> who_holds(std::string_view store, std::span<const std::string_view> keys);

struct DueStore {
  std::string store;
  TimestampTz next = DT_NOEND;  // of its earliest operation that nobody is working on
};

// One row for each store that has operations.
std::vector<DueStore> due_stores(TimePoint now);

// Takes over operations whose claimant is gone, as after a crash.
void release_lost_claims();

}  // namespace audiostore::outbox
