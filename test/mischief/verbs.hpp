// What the decoder that means harm can be told to try. Each verb runs behind the same confinement as real decoding.
#pragma once

#include <string_view>

#include "audio/wire.hpp"

namespace audiostore::test {

struct Scene {
  const audio::wire::Request& request;
  int input;
  int output;
  std::string_view argument;
  audio::wire::Reply& reply;  // honest until a verb changes it
};

using Verb = void (*)(Scene& scene);

// nullptr: no such verb.
Verb find_verb(std::string_view name);

void write_output(Scene& scene, std::size_t size);

}  // namespace audiostore::test
