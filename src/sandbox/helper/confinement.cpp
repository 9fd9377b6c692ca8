#include "sandbox/helper/confinement.hpp"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <ctime>

#include "sandbox/hello.hpp"
#include "sandbox/helper/files.hpp"

namespace audiostore::sandbox {
namespace {

// Descriptors: the three of /dev/null, the socket, input and output, and some for those on their way.
constexpr rlim_t kMostDescriptors = 16;

// Memory, processor time and file size are limited from outside, for each call.
bool limit_resources() {
  auto const limit = [](auto resource, rlim_t value) {
    rlimit const both{value, value};
    return setrlimit(resource, &both) == 0;
  };
  return limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, kMostDescriptors) && limit(RLIMIT_NPROC, 0) &&
         limit(RLIMIT_MEMLOCK, 0) && limit(RLIMIT_MSGQUEUE, 0);
}

// With the parent gone the socket ends the helper while it waits, and this while it works. The socket also covers a
// parent that died before this call.
bool give_up_privileges() {
  return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0 &&
         prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

// When memory runs out in the whole machine the kernel shall take this process, not a server's. It may refuse.
void offer_as_first_victim() {
  int const fd = open_before_confinement("/proc/self/oom_score_adj", O_WRONLY);
  if (fd < 0) return;
  [[maybe_unused]] ssize_t const written = write(fd, "1000", 4);
  close(fd);
}

class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_KILL_PROCESS)) {}
  ~Filter() { seccomp_release(context_); }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  template <class... Conditions>
  void allow(int call, Conditions... conditions) {
    std::array<scmp_arg_cmp, sizeof...(conditions)> const list{conditions...};
    complete_ = complete_ && context_ != nullptr &&
                seccomp_rule_add_array(context_, SCMP_ACT_ALLOW, call, list.size(), list.data()) == 0;
  }
  bool load() { return complete_ && seccomp_load(context_) == 0; }

 private:
  scmp_filter_ctx context_;
  bool complete_ = true;
};

// Descriptors it has: bytes in and out. Not newfstatat(), although newer C libraries make fstat() of it: it would tell
// which paths exist.
void allow_files(Filter& filter) {
  for (int const call : {SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(pwrite64), SCMP_SYS(lseek),
                         SCMP_SYS(fstat), SCMP_SYS(ftruncate), SCMP_SYS(close)}) {
    filter.allow(call);
  }
}

void allow_talk_with_parent(Filter& filter) {
  filter.allow(SCMP_SYS(recvmsg), SCMP_A0(SCMP_CMP_EQ, kHelperSocket));
  filter.allow(SCMP_SYS(sendmsg), SCMP_A0(SCMP_CMP_EQ, kHelperSocket));
}

void allow_memory(Filter& filter) {
  filter.allow(SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  filter.allow(SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  for (int const call : {SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise)}) filter.allow(call);
}

// The clock is normally read without the kernel; getrandom is malloc's; the C library's qsort() asks once how large the
// machine is (sysinfo); abort() takes the rest.
void allow_ending(Filter& filter) {
  for (int const call : {SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
                         SCMP_SYS(getrandom), SCMP_SYS(sysinfo), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
                         SCMP_SYS(futex), SCMP_SYS(rt_sigprocmask), SCMP_SYS(getpid), SCMP_SYS(gettid)}) {
    filter.allow(call);
  }
  auto const self = static_cast<scmp_datum_t>(getpid());
  filter.allow(SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, self), SCMP_A2(SCMP_CMP_EQ, SIGABRT));
}

}  // namespace

bool confine() {
  tzset();  // reads a file when the first time is broken down, be it for a date in UTC
  offer_as_first_victim();
  if (!limit_resources() || !give_up_privileges()) return false;
  Filter filter;
  allow_files(filter);
  allow_talk_with_parent(filter);
  allow_memory(filter);
  allow_ending(filter);
  return filter.load();
}

}  // namespace audiostore::sandbox
