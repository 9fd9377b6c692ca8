// One SQL call of the decoder: its bytea into a file in memory, the request, the result out of another. What would
// surprise you: of a large value that is only asked for its headers, just both ends are fetched, in a sparse file; the
// decoder says when it has to see all of it.
#pragma once

#include "audio/wire.hpp"
#include "mastering/memory_file.hpp"
#include "pg/arguments.hpp"

namespace audiostore::mastering {

// The largest value of type bytea that this extension makes: 1 GB - 64 kB.
constexpr std::uint64_t kMostBytes = (std::uint64_t{1} << 30) - (std::uint64_t{64} << 10);

struct Result {
  audio::wire::Reply reply{};
  MemoryFile output;

  // What was written, as a bytea.
  Datum bytea() const { return output.bytea(reply.output_size); }
};

// A request with everything at its default.
audio::wire::Request request_for(audio::wire::Operation operation);

// Operations that leave nothing but their reply. header_only: the ends may be enough.
audio::wire::Reply examine(audio::wire::Request request, Datum audio, bool header_only);

// Operations that write. Fills in result.
void produce(audio::wire::Request request, Datum audio, Result& result);

}  // namespace audiostore::mastering
