// Puts, copies and moves that are still queued count as done for whoever reads: this transaction's own and those that
// are committed. They are looked up before the store is asked, so an object cannot slip through between the two.
//
// A queued delete hides nothing: until it is carried out, a row may come to hold the key again.
#pragma once

#include <optional>

#include "objects/target.hpp"

namespace audiostore::objects {

// Where the object is that this key will have: in a queued put, or, as long as a copy or move onto it is queued, where
// that takes it from. That again may be a queued put.
struct QueuedWrite {
  std::int64_t put = 0;                       // operation; 0: none
  std::shared_ptr<foreign::OpenStore> store;  // null: not elsewhere
  std::string key;                            // in that store
};
std::optional<QueuedWrite> find_queued_write(const Target& target);

// The object as this put will leave it; nothing when it is done meanwhile.
std::optional<store::ObjectInfo> describe_queued_put(std::int64_t put);

struct QueuedBytes {
  Datum bytes;         // bytea, in the memory context of the caller
  std::uint64_t size;  // of the whole object
};
// The part of it that starts there, at most `length` bytes.
std::optional<QueuedBytes> read_queued_put(std::int64_t put, store::Range range);

}  // namespace audiostore::objects
