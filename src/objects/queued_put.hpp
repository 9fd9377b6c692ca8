// Puts that are still queued count as done for whoever reads: this transaction's own and those that are committed. They
// are looked up before the store is asked, so an object cannot slip through between the two.
//
// A queued delete hides nothing: until it is carried out, a row may come to hold the key again.
#pragma once

#include <optional>

#include "objects/target.hpp"

namespace audiostore::objects {

// The object as the latest queued put of this key will leave it.
std::optional<store::ObjectInfo> find_queued_put(const Target& target);

struct QueuedBytes {
  Datum bytes;         // bytea, in the memory context of the caller
  std::uint64_t size;  // of the whole object
};
// The part of it that starts there, at most `length` bytes.
std::optional<QueuedBytes> read_queued_put(const Target& target, store::Range range);

}  // namespace audiostore::objects
