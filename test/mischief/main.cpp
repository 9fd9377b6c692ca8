// A decoder that means harm. Its input is a line of text: a verb and perhaps an argument. "honest" writes as many bytes
// as the argument says and replies as a decoder does; "lie N" tells the Nth lie of unit/sandbox/lies.cpp; the others
// are in verbs.cpp.
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

#include "sandbox/helper/serve.hpp"
#include "sandbox/lies.hpp"
#include "verbs.hpp"

namespace {

using namespace audiostore;

audio::wire::Reply perform(const audio::wire::Request& request, int input, int output) {
  std::array<char, 256> line{};
  ssize_t const length = pread(input, line.data(), line.size() - 1, 0);
  std::string_view const text(line.data(), static_cast<std::size_t>(length < 0 ? 0 : length));
  std::size_t const space = text.find(' ');
  std::string_view const argument = space == text.npos ? std::string_view() : text.substr(space + 1);
  audio::wire::Reply reply = test::honest_reply(request.operation);
  test::Scene scene{request, input, output, argument, reply};
  if (test::Verb const verb = test::find_verb(text.substr(0, space))) {
    verb(scene);
  } else {
    reply.status = audio::wire::Status::not_audio;
  }
  return reply;
}

}  // namespace

int main() { _exit(audiostore::sandbox::serve(perform)); }
