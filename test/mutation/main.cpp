// Runs mutated audio through every operation of the decoder, as many at a time as there are decoders, and counts what
// came of it. A file that cannot even be opened meets one more operation, each time another: the rest would be the
// same. Crashes of the decoder are counted and not held against it: that is what its walls are for. What fails the run
// is a helper that outlives its deadline or its call, a reply that does not hold, and anything else than an Error.
//
//   audiostore-mutation PROGRAMS COUNT [SEED_FILE...]     PROGRAMS: the directory of audiostore-decoder
//
// AUDIOSTORE_TEST_SEED chooses other mutations, AUDIOSTORE_KEEP a directory for files that the decoder died of.
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "lies.hpp"
#include "mutate.hpp"
#include "sandbox/decoder.hpp"

namespace {

using namespace audiostore;
namespace wire = audio::wire;
using audio::wire::Operation;
using std::chrono::steady_clock;

constexpr std::size_t kDecoders = 2;
constexpr std::size_t kOperations = 7;
constexpr std::size_t kFormats = 6;
constexpr sandbox::Limits kLimits{.timeout = std::chrono::seconds(10)};
constexpr std::chrono::seconds kTolerance{5};  // of the machine, for being late

const char* name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::bad_audio: return "refused: not audio, or damaged";
    case ErrorKind::unsupported: return "refused: unsupported";
    case ErrorKind::invalid_argument: return "refused: arguments do not fit";
    case ErrorKind::too_large: return "refused: result too large";
    case ErrorKind::decoder_limit: return "limit: time or memory";
    case ErrorKind::decoder_died: return "died";
    default: return "other";
  }
}

struct Totals {
  std::map<std::string, std::uint64_t> outcomes;
  std::uint64_t calls = 0;
  std::uint64_t failures = 0;

  void fail(const std::string& what) {
    failures++;
    std::printf("FAILED: %s\n", what.c_str());
  }
};

// A decoder with the file and the operation that it is at.
class Lane {
 public:
  explicit Lane(const std::string& programs)
      : decoder_(programs), input_(memfd_create("input", MFD_CLOEXEC)), output_(memfd_create("output", MFD_CLOEXEC)) {}
  ~Lane() {
    close(input_);
    close(output_);
  }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  bool busy() const { return operation_ > 0; }
  int fd() const { return decoder_.wait_fd(); }
  void give(test::Seed file, Totals& totals) {
    file_ = std::move(file);
    rewrite(input_, file_.bytes);
    operation_ = 1;
    refused_ = false;
    start(totals);
  }
  // Goes on until there is something to wait for.
  void go_on(Totals& totals) {
    pid_ = decoder_.pid();
    while (busy() && decoder_.step()) {
      settle(totals);
      operation_ = next_operation();
      if (busy()) start(totals);
    }
    if (busy() && steady_clock::now() > began_ + kLimits.timeout + kTolerance)
      totals.fail(label() + " outlives its deadline");
  }

 private:
  static void rewrite(int fd, const std::string& bytes) {
    if (ftruncate(fd, 0) != 0 || pwrite(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
      std::perror("memfd");
      std::exit(2);
    }
    lseek(fd, 0, SEEK_SET);
  }
  std::string label() const { return file_.name + ", operation " + std::to_string(operation_); }

  wire::Request request() const {
    wire::Request request{};
    request.operation = static_cast<Operation>(operation_);
    request.format = static_cast<wire::Format>(std::hash<std::string>()(file_.name) % kFormats);
    request.input = {file_.bytes.size(), file_.bytes.size(), 0};
    request.max_output = std::uint64_t{64} << 20;
    request.target_lufs = -16;
    request.max_true_peak_dbtp = -1;
    request.start_seconds = 0.05;
    request.end_seconds = 0.15;
    request.threshold_dbfs = -50;
    request.points = 100;
    if (request.operation == Operation::trim) request.sample_rate = 16000;
    return request;
  }

  void start(Totals& totals) {
    rewrite(output_, "");
    began_ = steady_clock::now();
    bool const writes = operation_ > static_cast<std::size_t>(Operation::measure);
    totals.calls++;
    decoder_.start(request(), input_, writes ? output_ : -1, kLimits);
    pid_ = decoder_.pid();
  }

  std::size_t next_operation() {
    if (operation_ == 1 && refused_) return 2 + turn_++ % (kOperations - 1);
    return refused_ || operation_ == kOperations ? 0 : operation_ + 1;
  }

  void settle(Totals& totals) {
    try {
      decoder_.take();
      totals.outcomes["done"]++;
      return;
    } catch (const Error& error) {
      if (operation_ == 1) refused_ = true;
      bool const died = error.kind() == ErrorKind::decoder_died;
      std::string const story = died ? ": " + error.message() + ": " + error.detail() : "";
      totals.outcomes[name_of(error.kind()) + story]++;
      if (error.message().find("makes no sense") != std::string::npos || error.kind() == ErrorKind::internal) {
        totals.fail(label() + ": " + error.message() + ": " + error.detail());
      }
      if (died) keep();
    }
    if (kill(pid_, 0) == 0) totals.fail(label() + ": the helper is still there");
  }

  void keep() const {
    const char* const directory = std::getenv("AUDIOSTORE_KEEP");
    if (directory != nullptr) std::ofstream(std::string(directory) + "/" + label(), std::ios::binary) << file_.bytes;
  }

  sandbox::Decoder decoder_;
  int input_, output_;
  int pid_ = -1;
  test::Seed file_;
  std::size_t operation_ = 0;
  std::size_t turn_ = 0;
  bool refused_ = false;  // by the first operation, which is info
  steady_clock::time_point began_;
};

// What the decoder itself can write, from a little audio.
void add_encoded(std::vector<test::Seed>& seeds, const std::string& programs) {
  sandbox::Decoder decoder(programs);
  std::string const wav = test::honest_wav();
  int const input = memfd_create("wav", MFD_CLOEXEC);
  if (write(input, wav.data(), wav.size()) < 0) std::exit(2);
  seeds.push_back({"wav", wav});
  constexpr const char* kNames[] = {"flac", "ogg", "opus", "mp3"};
  for (std::size_t i = 0; i < std::size(kNames); i++) {
    int const output = memfd_create("encoded", MFD_CLOEXEC);
    wire::Request request{};
    request.operation = Operation::transcode;
    request.format = static_cast<wire::Format>(i + 2);
    request.input = {wav.size(), wav.size(), 0};
    request.max_output = 1 << 20;
    auto const reply = decoder.call(request, input, output, kLimits, [](int fd, std::chrono::milliseconds timeout) {
      pollfd state{fd, POLLIN, 0};
      poll(&state, 1, static_cast<int>(timeout.count()));
    });
    std::string bytes(reply.output_size, '\0');
    if (pread(output, bytes.data(), bytes.size(), 0) < 0) std::exit(2);
    seeds.push_back({kNames[i], std::move(bytes)});
    close(output);
  }
  close(input);
}

std::vector<test::Seed> seeds_from(int count, char** arguments) {
  std::vector<test::Seed> seeds;
  add_encoded(seeds, arguments[1]);
  for (int i = 3; i < count; i++) {
    std::ostringstream bytes;
    bytes << std::ifstream(arguments[i], std::ios::binary).rdbuf();
    seeds.push_back({std::filesystem::path(arguments[i]).filename(), bytes.str()});
  }
  return seeds;
}

// The hand-made lies as they are, then mutations of seeds and lies.
class Files {
 public:
  Files(std::vector<test::Seed> seeds, std::uint64_t count) : lies_(test::hand_made_lies()), left_(count) {
    const char* const chosen = std::getenv("AUDIOSTORE_TEST_SEED");
    number_ = (chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : 1) << 32U;
    originals_ = std::move(seeds);
    for (auto const& lie : lies_) {
      if (!lie.bytes.empty()) originals_.push_back(lie);
    }
  }
  bool any() const { return !lies_.empty() || left_ > 0; }
  test::Seed next() {
    if (!lies_.empty()) {
      test::Seed lie = std::move(lies_.back());
      lies_.pop_back();
      return lie;
    }
    left_--;
    number_++;
    std::size_t const chosen = number_ % originals_.size();
    return {originals_[chosen].name + " " + std::to_string(number_ & 0xffffffff), mutate(originals_, chosen, number_)};
  }

 private:
  std::vector<test::Seed> lies_, originals_;
  std::uint64_t left_;
  std::uint64_t number_ = 0;
};

void run(Files& files, const std::string& programs, Totals& totals) {
  std::vector<std::unique_ptr<Lane>> lanes;
  for (std::size_t i = 0; i < kDecoders; i++) lanes.push_back(std::make_unique<Lane>(programs));
  for (;;) {
    std::vector<pollfd> waiting;
    for (auto& lane : lanes) {
      lane->go_on(totals);
      if (!lane->busy() && files.any()) lane->give(files.next(), totals);
      if (lane->busy()) waiting.push_back({lane->fd(), POLLIN, 0});
    }
    if (waiting.empty()) return;
    poll(waiting.data(), waiting.size(), 100);
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::fprintf(stderr, "usage: %s PROGRAMS COUNT [SEED_FILE...]\n", arguments[0]);
    return 2;
  }
  std::uint64_t const wanted = std::strtoull(arguments[2], nullptr, 10);
  auto const began = steady_clock::now();
  Totals totals;
  Files files(seeds_from(count, arguments), wanted);
  run(files, arguments[1], totals);
  if (waitpid(-1, nullptr, WNOHANG) != -1) totals.fail("a helper is left over");
  auto const seconds = std::chrono::duration<double>(steady_clock::now() - began).count();
  std::printf("%llu mutated files, %llu calls in %.0f s\n", static_cast<unsigned long long>(wanted),
              static_cast<unsigned long long>(totals.calls), seconds);
  for (auto const& [outcome, times] : totals.outcomes) {
    std::printf("%9llu %s\n", static_cast<unsigned long long>(times), outcome.c_str());
  }
  std::printf("%llu failures\n", static_cast<unsigned long long>(totals.failures));
  return totals.failures == 0 ? 0 : 1;
}
