// See the header. maybe_sleeping must be set before we sleep: SetLatch sends no signal otherwise.
#include "pg/interrupts.hpp"

#include <sys/signalfd.h>
#include <unistd.h>
#include <csignal>

namespace audiostore::pg {

int wake_fd() {
  static const int fd = [] {
    sigset_t urgent;
    sigemptyset(&urgent);
    sigaddset(&urgent, SIGURG);
    return signalfd(-1, &urgent, SFD_NONBLOCK | SFD_CLOEXEC);
  }();
  return fd;
}

bool prepare_wait() {
  MyLatch->maybe_sleeping = 1;
  pg_memory_barrier();
  return MyLatch->is_set != 0;
}

void after_wait() {
  MyLatch->maybe_sleeping = 0;
  signalfd_siginfo info{};
  while (wake_fd() >= 0 && read(wake_fd(), &info, sizeof info) > 0) {
  }
  ResetLatch(MyLatch);
  check_interrupts();
}

}  // namespace audiostore::pg
