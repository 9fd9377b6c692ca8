#include "sandbox/helper/memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>

#include "sandbox/hello.hpp"
#include "sandbox/helper/files.hpp"

namespace audiostore::sandbox {
namespace {

// What libraries ask for at least when they fail to get it.
constexpr std::size_t kProbe = std::size_t{4} << 20;

alignas(16) std::array<char, 8192> signal_stack;

// The stack may be what could not grow, so this runs on its own. Where memory is not scarce the crash goes on, and
// SA_RESETHAND makes it real; abort() would first ask for what the filter forbids.
void on_crash(int signal) {
  void* const probe = mmap(nullptr, kProbe, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (probe == MAP_FAILED) _exit(kExitOutOfMemory);
  munmap(probe, kProbe);
  if (signal == SIGABRT) raise(signal);
}

}  // namespace

std::uint64_t address_space() {
  std::array<char, 128> text{};
  int const fd = open_before_confinement("/proc/self/statm", O_RDONLY);
  if (fd < 0) return 0;
  ssize_t const length = read(fd, text.data(), text.size());
  close(fd);
  std::uint64_t pages = 0;
  if (length > 0) std::from_chars(text.data(), text.data() + length, pages);
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

void tell_crashes_for_want_of_memory() {
  stack_t stack{};
  stack.ss_sp = signal_stack.data();
  stack.ss_size = signal_stack.size();
  sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_handler = on_crash;
  action.sa_flags = SA_ONSTACK | SA_NODEFER | static_cast<int>(SA_RESETHAND);
  for (int const signal : {SIGSEGV, SIGBUS, SIGABRT}) sigaction(signal, &action, nullptr);
}

}  // namespace audiostore::sandbox
