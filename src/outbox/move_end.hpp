// Who waits for a move learns what became of it, in the transaction that writes it down: whatever he writes is there
// together with it, or not at all. One feature listens (temporary/); its place is above this folder, hence a pointer.
#pragma once

#include <cstdint>
#include <string_view>

namespace audiostore::outbox {

struct MoveEnd {
  enum class What {
    copied,     // the target is there, whole; the source is about to go
    dead,       // given up
    cancelled,  // by cancel_operation()
    revived,    // by retry_operation(), after it was dead
  };
  std::int64_t id;  // of the operation
  What what;
  std::string_view error = {};  // dead
};

// Copied and dead are told by the drain, which must wait for nobody: not_now makes it try again later.
enum class Heard { yes, not_now };

using MoveListener = Heard (*)(const MoveEnd& end);

// From _PG_init, once.
void listen_to_moves(MoveListener listener);

// Inside the caller's transaction, acting as the owner of the extension's tables.
Heard tell(const MoveEnd& end);

}  // namespace audiostore::outbox
