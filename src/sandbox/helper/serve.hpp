// The helper's life: confine itself, say hello, then one request after the other until the parent closes the socket.
#pragma once

#include "audio/wire.hpp"

namespace audiostore::sandbox {

using Perform = audio::wire::Reply (*)(const audio::wire::Request& request, int input, int output);

// Returns the exit code.
int serve(Perform perform);

}  // namespace audiostore::sandbox
