#include "sandbox/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "base/error.hpp"
#include "sandbox/hello.hpp"

namespace audiostore::sandbox {
namespace {

[[noreturn]] void throw_not_started(const std::string& program, int error) {
  throw Error(ErrorKind::decoder_died, "could not start the audio decoder",
              "\"" + program + "\": " + std::strerror(error) + ".",
              error == ENOENT ? "The program belongs to the installation of audiostore, beside its library." : "");
}

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  // The socket first: its number here may be one of those that are opened after it.
  int keep_only(int socket) {
    int error = posix_spawn_file_actions_adddup2(&actions_, socket, kHelperSocket);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && error == 0; fd++) {
      error = posix_spawn_file_actions_addopen(&actions_, fd, "/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);
    }
    return error != 0 ? error : posix_spawn_file_actions_addclosefrom_np(&actions_, kHelperSocket + 1);
  }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

class Attributes {
 public:
  Attributes() { posix_spawnattr_init(&attributes_); }
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  int set() {
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setpgroup(&attributes_, 0);
    return posix_spawnattr_setflags(&attributes_,
                                    POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  }
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

int spawn(const std::string& program, int socket, pid_t& pid) {
  FileActions actions;
  Attributes attributes;
  int error = actions.keep_only(socket);
  if (error == 0) error = attributes.set();
  if (error != 0) return error;
  std::string name = program.substr(program.rfind('/') + 1);
  std::array<char*, 2> const arguments{name.data(), nullptr};
  std::array<char*, 1> const environment{nullptr};
  return posix_spawn(&pid, program.c_str(), actions.get(), attributes.get(), arguments.data(), environment.data());
}

}  // namespace

Process::Process(const std::string& program) {
  std::array<int, 2> pair{-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) throw_not_started(program, errno);
  pid_t pid = -1;
  int const error = spawn(program, pair[1], pid);
  close(pair[1]);
  if (error != 0) {
    close(pair[0]);
    throw_not_started(program, error);
  }
  pid_ = pid;
  socket_ = pair[0];
}

std::chrono::milliseconds Process::cpu_time() const {
  clockid_t clock = 0;
  timespec used{};
  if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &used) != 0) return {};
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::seconds(used.tv_sec) +
                                                               std::chrono::nanoseconds(used.tv_nsec));
}

// Soft limits only: the helper cannot raise them, as its filter has no such call, and we could not raise hard ones.
bool Process::limit(__rlimit_resource resource, std::uint64_t value) const {
  rlimit now{};
  if (prlimit(pid_, resource, nullptr, &now) != 0) return false;
  rlimit const wanted{std::min<rlim_t>(value, now.rlim_max), now.rlim_max};
  return prlimit(pid_, resource, &wanted, nullptr) == 0;
}

void Process::await_exit(std::chrono::milliseconds patience) const {
  if (pid_ < 0) return;
  int const fd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (fd < 0) return;
  pollfd exited{fd, POLLIN, 0};
  poll(&exited, 1, static_cast<int>(patience.count()));
  close(fd);
}

Ending Process::end() noexcept {
  Ending ending;
  if (pid_ < 0) return ending;
  kill(pid_, SIGKILL);
  int status = 0;
  pid_t reaped = -1;
  do {
    reaped = waitpid(pid_, &status, 0);
  } while (reaped < 0 && errno == EINTR);
  if (reaped == pid_) {
    ending.known = true;
    if (WIFSIGNALED(status)) ending.signal = WTERMSIG(status);
    if (WIFEXITED(status)) ending.exit_code = WEXITSTATUS(status);
  }
  pid_ = -1;
  close(socket_);
  socket_ = -1;
  return ending;
}

}  // namespace audiostore::sandbox
