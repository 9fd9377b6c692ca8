#include "mastering/decoder_process.hpp"

#include "pg/guard.hpp"
#include "pg/settings.hpp"

namespace audiostore::mastering {
namespace {

// The setting is for inputs up to this size; larger ones get as much again for each such stretch.
constexpr std::uint64_t kOrdinaryBytes = std::uint64_t{64} << 20;

// A plain pointer: nothing is constructed in the postmaster, and FATAL runs no destructor.
sandbox::Decoder* session_decoder = nullptr;

// At the end of the process. After kill -9 of it, the kernel ends the helper.
void end_session_decoder(int /*code*/, Datum /*argument*/) { delete std::exchange(session_decoder, nullptr); }

sandbox::Decoder& decoder_of_session() {
  if (session_decoder == nullptr) {
    pg::call([] { on_proc_exit(end_session_decoder, Datum{0}); });
    session_decoder = new sandbox::Decoder(program_directory());
  }
  return *session_decoder;
}

// Signals come by the latch. The cancel comes first: what else is to be seen may be its consequence.
void wait_for(int fd, std::chrono::milliseconds timeout) {
  pg::call([&] {
    WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, fd,
                      static_cast<long>(timeout.count()), PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  });
}

}  // namespace

std::string program_directory() { return pkglib_path; }

sandbox::Limits decoder_limits(std::uint64_t input_bytes) {
  auto const timeout = pg::settings::decoder_timeout();
  return {.timeout = timeout + timeout * static_cast<std::int64_t>(input_bytes / kOrdinaryBytes),
          .memory = pg::settings::decoder_memory()};
}

audio::wire::Reply decode(const audio::wire::Request& request, int input, int output) {
  pg::check_interrupts();
  return decoder_of_session().call(request, input, output, decoder_limits(request.input.size), wait_for);
}

}  // namespace audiostore::mastering
