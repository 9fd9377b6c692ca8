// The decoder as a server process sees it: a confined helper process that is started when first needed and kept for the
// next call. One call at a time; start() returns at once, so that a worker can have several and go on, call() waits.
// What goes wrong is one Error for that call (bad_audio, unsupported, invalid_argument, decoder_limit, decoder_died
// ...); a helper that crashed, lied or was late is gone with it, and the next call starts another.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "audio/wire.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"

namespace audiostore::sandbox {

struct Limits {
  std::chrono::milliseconds timeout{60'000};        // wall clock, for the whole call
  std::uint64_t memory = std::uint64_t{256} << 20;  // address space of the helper beyond its start, bytes
};

class Decoder {
 public:
  // directory: where the programs audiostore-decoder and audiostore-decoder-av are.
  explicit Decoder(std::string directory);
  ~Decoder();  // ends the helper; waits for no more than its exit after SIGKILL
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // Sends a request. The descriptors (output: -1 for none) are duplicated into the helper and stay the caller's.
  void start(const audio::wire::Request& request, int input, int output, const Limits& limits);
  bool busy() const;
  // Readable when there is something to look at; changes with start() and step().
  int wait_fd() const;
  TimePoint deadline() const;
  // Looks at what came. True: the call is over, take() has it. Enforces the deadline. May start the other helper, when
  // the first one cannot read the container.
  bool step();
  // The checked reply, or throws the Error of the call. Only after step() returned true.
  audio::wire::Reply take();
  // Ends the call under way, and the helper with it.
  void cancel() noexcept;

  // start, wait, take. wait(fd, timeout) returns when fd is readable or the time is over, and may throw to cancel.
  audio::wire::Reply call(const audio::wire::Request& request, int input, int output, const Limits& limits,
                          const std::function<void(int fd, std::chrono::milliseconds timeout)>& wait);

  int pid() const;  // of the helper; -1 while there is none

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace audiostore::sandbox
