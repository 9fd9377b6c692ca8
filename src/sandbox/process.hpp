// A helper process: started with an empty environment, no descriptor but its end of a socket pair, and a process group
// of its own, since PostgreSQL cancels a query by a signal to the whole group of its backend. What would surprise you:
// the helper dies with the thread that started it (PR_SET_PDEATHSIG), not only with the process.
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace audiostore::sandbox {

// How a process ended: what waitpid() says. Nothing where somebody else has reaped it.
struct Ending {
  bool known = false;
  int exit_code = 0;
  int signal = 0;  // 0: it exited
};

class Process {
 public:
  // Throws Error(decoder_died) where the program cannot be started.
  explicit Process(const std::string& program);
  ~Process() { end(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  int pid() const { return pid_; }
  int socket() const { return socket_; }

  // Processor time used so far.
  std::chrono::milliseconds cpu_time() const;
  // From now on; false where the process is gone.
  bool limit(__rlimit_resource resource, std::uint64_t value) const;
  // Gives a process that is about to end the time to do so by itself, so that ending() tells its own story.
  void await_exit(std::chrono::milliseconds patience) const;
  // SIGKILL, and waits for the exit.
  Ending end() noexcept;

 private:
  int pid_ = -1;
  int socket_ = -1;
};

}  // namespace audiostore::sandbox
