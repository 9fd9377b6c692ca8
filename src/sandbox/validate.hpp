// The reply of a process that has read hostile bytes, checked as a whole: nothing of it may be used before. Besides
// being in range, what it says has to fit the request and the descriptor that it wrote to. What comes out holds only
// what the operation is about; everything else is zero, whatever was sent.
#pragma once

#include <optional>
#include <string>

#include "audio/wire.hpp"

namespace audiostore::sandbox {

// What of the reply cannot be true; nothing when all of it can. written: how much longer the output became. May be
// another reader's turn: whether needs_other_reader is an answer.
std::optional<std::string> find_lie(const audio::wire::Request& request, const audio::wire::Reply& reply,
                                    std::uint64_t written, bool may_be_another_readers_turn);

// Keeps what the operation is about.
void clear_what_is_not_asked_for(const audio::wire::Request& request, audio::wire::Reply& reply);

}  // namespace audiostore::sandbox
