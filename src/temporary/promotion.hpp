// The sidecar of a promotion, from its queueing to the end of its move:
//
//   promote_object ──► promoting ── move done ──► promoted: the row lets go of the temporary object, the sidecar is let
//   go
//                       ▲     │ └─ move dead ──► failed: the temporary object stays, the sidecar leaves the queue
//                       └─────┼──── retry ────────┘
//                             └─ move cancelled ──► leased again, for two hours at least
//
// Who owns what: the temporary object is its row's until the move is done, so neither expiry nor anybody else removes
// it. The permanent key is the application's row's from the moment of the call; until the object is there, readers find
// it in its old place (objects/queued_write.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace audiostore::temporary {

// Queues the put of a sidecar that waits for its move; `document` is JSON text.
std::int64_t queue_sidecar(std::string_view store, std::string_view key, std::string_view document);

}  // namespace audiostore::temporary
