// audiostore-decoder: reads what libsndfile reads, and so starts fast.
#include <unistd.h>

#include "audio/perform.hpp"
#include "sandbox/helper/serve.hpp"

int main() {
  // Not by return: whatever destructors libraries have, they are not behind the walls for.
  _exit(audiostore::sandbox::serve([](const auto& request, int input, int output) {
    return audiostore::audio::perform(request, input, output, nullptr);
  }));
}
