// The decoder as this server process uses it: where its program is, what it may use, and the one that a session keeps.
// A worker that has several at a time makes its own sandbox::Decoder from the first two.
#pragma once

#include "audio/wire.hpp"
#include "sandbox/decoder.hpp"

namespace audiostore::mastering {

// The directory of the programs: where PostgreSQL has its modules.
std::string program_directory();

// By the settings audiostore.decoder_timeout and audiostore.decoder_memory; large inputs get more time.
sandbox::Limits decoder_limits(std::uint64_t input_bytes);

// Runs a request in the session's decoder, and waits: a cancel ends the call and the helper, and is raised.
audio::wire::Reply decode(const audio::wire::Request& request, int input, int output);

}  // namespace audiostore::mastering
