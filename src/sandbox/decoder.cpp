// A call goes through these phases; the socket of the helper becomes readable where one ends.
//
//   start()  no helper kept, or one that has gone: start one ──► starting
//            else ──► limits, request ──► working
//   starting ──hello──► limits, request ──► working
//   working  ──reply: needs_other_reader──► the same call, from the start, with the helper that has libavformat
//            ──reply──► checked, over
//   any      ──end of file, lie, deadline──► the helper is killed; over, with an Error
#include "sandbox/decoder.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "sandbox/exchange.hpp"
#include "sandbox/failure.hpp"
#include "sandbox/hello.hpp"
#include "sandbox/process.hpp"
#include "sandbox/validate.hpp"

namespace audiostore::sandbox {
namespace {

namespace wire = audio::wire;
using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::array kPrograms = {"audiostore-decoder", "audiostore-decoder-av"};
enum Reader : std::size_t { usual, other };

// Whatever a helper gathers (leaks, fragments, somebody's foothold) goes with it.
constexpr std::chrono::seconds kMostCpuTime{60};
// A helper that has closed its socket is about to be gone.
constexpr milliseconds kPatienceAtExit{100};
// Containers are finished by going back to their headers, and encoders write in blocks.
constexpr std::uint64_t kOutputSlack = 64 << 10;

struct Helper {
  explicit Helper(const std::string& program) : process(program) {}
  Process process;
  std::optional<std::uint64_t> address_space;  // known once it has said hello
};

struct Call {
  wire::Request request;
  int input;
  int output;
  off_t output_start;
  Limits limits;
  SteadyClock::time_point deadline;
  Reader reader;
};

// A helper that is kept has nothing to say: what can be read is its end.
bool is_quiet(int socket) {
  pollfd state{socket, POLLIN, 0};
  return poll(&state, 1, 0) == 0;
}

off_t size_of(int output) {
  struct stat status {};
  return fstat(output, &status) == 0 ? status.st_size : 0;
}

}  // namespace

class Decoder::Impl {
 public:
  explicit Impl(std::string directory) : directory_(std::move(directory)) {}

  void start(const wire::Request& request, int input, int output, const Limits& limits);
  bool step();
  wire::Reply take();
  void cancel() noexcept;

  bool busy() const { return call_.has_value(); }
  int wait_fd() const { return busy() && helper() ? helper()->process.socket() : -1; }
  milliseconds remaining() const {
    if (!call_) return milliseconds(0);
    auto const left = std::chrono::ceil<milliseconds>(call_->deadline - SteadyClock::now());
    return std::max(left, milliseconds(0));
  }
  int pid() const {
    auto const& asked = helpers_[call_ ? call_->reader : usual];
    auto const& any = asked ? asked : helpers_[usual] ? helpers_[usual] : helpers_[other];
    return any ? any->process.pid() : -1;
  }

 private:
  std::optional<Helper>& helper() { return helpers_[call_->reader]; }
  const std::optional<Helper>& helper() const { return helpers_[call_->reader]; }
  void begin();
  bool send();
  void advance();
  void hear_hello();
  void hear_reply();
  void ask_other_reader();
  Error ending_of_helper();
  void succeed(const wire::Reply& reply);
  void fail(const Error& error);

  std::string directory_;
  std::array<std::optional<Helper>, kPrograms.size()> helpers_;
  std::optional<Call> call_;
  std::optional<wire::Reply> reply_;
  std::optional<Error> error_;
};

void Decoder::Impl::start(const wire::Request& request, int input, int output, const Limits& limits) {
  if (call_) throw Error(ErrorKind::internal, "the audio decoder is busy with another call");
  reply_.reset();
  error_.reset();
  off_t const position = output < 0 ? 0 : std::max<off_t>(lseek(output, 0, SEEK_CUR), 0);
  call_ = Call{request, input, output, position, limits, SteadyClock::now() + limits.timeout, usual};
  call_->request.magic = wire::kRequestMagic;
  call_->request.version = wire::kVersion;
  try {
    begin();
  } catch (...) {
    call_.reset();
    throw;
  }
}

// To a helper that is there, else to one that is started now and hears of the call when it is ready.
void Decoder::Impl::begin() {
  if (helper() && helper()->address_space && is_quiet(helper()->process.socket()) && send()) return;
  helper().reset();
  helper().emplace(directory_ + "/" + kPrograms[call_->reader]);
}

// False where the helper is gone. The limits are set from outside, and before it sees a byte.
bool Decoder::Impl::send() {
  auto const& process = helper()->process;
  auto const time = std::chrono::ceil<std::chrono::seconds>(process.cpu_time() + remaining()) + std::chrono::seconds(1);
  std::uint64_t file = 0;
  if (call_->output >= 0) {
    file = static_cast<std::uint64_t>(call_->output_start) + kOutputSlack;
    file += std::min(call_->request.max_output, std::uint64_t{INT64_MAX} - file);
  }
  return process.limit(RLIMIT_AS, *helper()->address_space + call_->limits.memory) &&
         process.limit(RLIMIT_CPU, static_cast<std::uint64_t>(time.count())) && process.limit(RLIMIT_FSIZE, file) &&
         send_record(process.socket(), &call_->request, sizeof call_->request, call_->input, call_->output);
}

bool Decoder::Impl::step() {
  if (!call_) return true;
  try {
    advance();
  } catch (const Error& error) {
    fail(error);
  }
  return !call_;
}

void Decoder::Impl::advance() {
  if (!helper()->address_space) {
    hear_hello();
  } else {
    hear_reply();
  }
  if (call_ && SteadyClock::now() >= call_->deadline) throw out_of_time(call_->limits);
}

void Decoder::Impl::hear_hello() {
  Hello hello{};
  switch (receive(helper()->process.socket(), hello)) {
    case Received::nothing_yet: return;
    case Received::closed: throw ending_of_helper();
    case Received::malformed: throw failure_of_lie("Its first record is not of the expected length.");
    case Received::record: break;
  }
  if (hello.magic != kHelloMagic || hello.version != wire::kVersion) {
    throw Error(ErrorKind::decoder_died, "the audio decoder is of another version than audiostore",
                "\"" + directory_ + "/" + kPrograms[call_->reader] + "\"", "Install both from the same build.");
  }
  helper()->address_space = hello.address_space;
  if (!send()) throw ending_of_helper();
}

void Decoder::Impl::hear_reply() {
  wire::Reply reply{};
  switch (receive(helper()->process.socket(), reply)) {
    case Received::nothing_yet: return;
    case Received::closed: throw ending_of_helper();
    case Received::malformed: throw failure_of_lie("It is not of the expected length.");
    case Received::record: break;
  }
  auto const grown = call_->output < 0 ? 0 : std::max<off_t>(size_of(call_->output) - call_->output_start, 0);
  if (auto const lie = find_lie(call_->request, reply, static_cast<std::uint64_t>(grown), call_->reader == usual)) {
    throw failure_of_lie("Wrong is: " + *lie + ".");
  }
  clear_what_is_not_asked_for(call_->request, reply);
  switch (reply.status) {
    case wire::Status::ok:
    case wire::Status::needs_whole_input: return succeed(reply);
    case wire::Status::needs_other_reader: return ask_other_reader();
    default: throw failure_of(reply, call_->limits);
  }
}

void Decoder::Impl::ask_other_reader() {
  if (call_->output >= 0) {
    bool const rewound = ftruncate(call_->output, call_->output_start) == 0 &&
                         lseek(call_->output, call_->output_start, SEEK_SET) == call_->output_start;
    if (!rewound) throw Error(ErrorKind::internal, "could not rewind the output of the audio decoder");
  }
  call_->reader = other;
  begin();
}

Error Decoder::Impl::ending_of_helper() {
  helper()->process.await_exit(kPatienceAtExit);
  return failure_of(helper()->process.end(), call_->limits);
}

void Decoder::Impl::succeed(const wire::Reply& reply) {
  if (helper()->process.cpu_time() > kMostCpuTime) helper().reset();
  reply_ = reply;
  call_.reset();
}

// Also after an honest "damaged": bytes that are wrong may have been meant to be, and both helpers may have read them.
void Decoder::Impl::fail(const Error& error) {
  for (auto& helper : helpers_) helper.reset();
  error_ = error;
  call_.reset();
}

wire::Reply Decoder::Impl::take() {
  if (error_) {
    auto const error = std::exchange(error_, std::nullopt);
    throw Error(*error);
  }
  if (!reply_) throw Error(ErrorKind::internal, "the audio decoder has no reply to give");
  wire::Reply const reply = *reply_;
  reply_.reset();
  return reply;
}

void Decoder::Impl::cancel() noexcept {
  if (!call_) return;
  helper().reset();
  call_.reset();
}

Decoder::Decoder(std::string directory) : impl_(std::make_unique<Impl>(std::move(directory))) {}
Decoder::~Decoder() = default;

void Decoder::start(const wire::Request& request, int input, int output, const Limits& limits) {
  impl_->start(request, input, output, limits);
}
bool Decoder::busy() const { return impl_->busy(); }
int Decoder::wait_fd() const { return impl_->wait_fd(); }
TimePoint Decoder::deadline() const { return SystemClock().now() + impl_->remaining(); }
bool Decoder::step() { return impl_->step(); }
wire::Reply Decoder::take() { return impl_->take(); }
void Decoder::cancel() noexcept { impl_->cancel(); }
int Decoder::pid() const { return impl_->pid(); }

wire::Reply Decoder::call(const wire::Request& request, int input, int output, const Limits& limits,
                          const std::function<void(int fd, std::chrono::milliseconds timeout)>& wait) {
  start(request, input, output, limits);
  try {
    while (!step()) wait(wait_fd(), impl_->remaining());
  } catch (...) {
    cancel();
    throw;
  }
  return take();
}

}  // namespace audiostore::sandbox
