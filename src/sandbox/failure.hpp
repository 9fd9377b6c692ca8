// What the caller of the decoder is told when a call fails: the words for each way in which it can.
#pragma once

#include "audio/wire.hpp"
#include "base/error.hpp"
#include "sandbox/decoder.hpp"
#include "sandbox/process.hpp"

namespace audiostore::sandbox {

// The helper ended without a reply.
Error failure_of(const Ending& ending, const Limits& limits);
// A (checked) reply that says that it did not work.
Error failure_of(const audio::wire::Reply& reply, const Limits& limits);
// A reply, or the lack of one, that no honest decoder sends; detail says what was wrong.
Error failure_of_lie(const std::string& detail);
Error out_of_time(const Limits& limits);

}  // namespace audiostore::sandbox
