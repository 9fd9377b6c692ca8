// Replies as an honest decoder sends them, and ways to lie in each of their fields. Shared by the tests of the check
// itself and the decoder that lies.
#pragma once

#include <span>

#include "audio/wire.hpp"

namespace audiostore::test {

// About one second of 48 kHz stereo; output_size is for the caller to set.
audio::wire::Reply honest_reply(audio::wire::Operation operation);

struct Lie {
  const char* name;  // what the check has to call it
  audio::wire::Operation operation;
  void (*tell)(audio::wire::Reply& reply);
};

std::span<const Lie> lies();

}  // namespace audiostore::test
