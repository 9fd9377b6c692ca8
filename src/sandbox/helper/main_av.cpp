// audiostore-decoder-av: also reads what only libavformat does. Loading that takes a while, so it is a second program.
#include <unistd.h>

#include "audio/av/reader.hpp"
#include "audio/perform.hpp"
#include "sandbox/helper/serve.hpp"

int main() {
  _exit(audiostore::sandbox::serve([](const auto& request, int input, int output) {
    return audiostore::audio::perform(request, input, output, audiostore::audio::open_av);
  }));
}
