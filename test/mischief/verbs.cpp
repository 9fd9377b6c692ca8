#include "verbs.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "sandbox/exchange.hpp"
#include "sandbox/hello.hpp"
#include "sandbox/lies.hpp"

namespace audiostore::test {
namespace {

namespace wire = audio::wire;

std::size_t number(std::string_view text) {
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Harmless where nothing forbids it: a test that fails shall not hang.
template <class... Arguments>
void try_call(long call, Arguments... arguments) {
  bool const forks = call == SYS_fork || call == SYS_clone;
  if (syscall(call, arguments...) == 0 && forks) _exit(0);
}

[[noreturn]] void spin() {
  volatile bool forever = true;
  while (forever) {
  }
  std::abort();
}

void say(Scene& scene, const char* text) {
  scene.reply = {};
  scene.reply.magic = wire::kReplyMagic;
  scene.reply.version = wire::kVersion;
  scene.reply.status = wire::Status::unsupported;
  std::strncpy(scene.reply.message.data(), text, scene.reply.message.size() - 1);
}

// Lists the numbers of all descriptors.
void descriptors(Scene& scene) {
  std::array<char, 200> list{};
  std::size_t used = 0;
  struct stat status {};
  for (int fd = 0; fd < 4096 && used < list.size() - 8; fd++) {
    if (syscall(SYS_fstat, fd, &status) != 0) continue;
    used += static_cast<std::size_t>(std::snprintf(list.data() + used, 8, used == 0 ? "%d" : " %d", fd));
  }
  say(scene, list.data());
}

void environment(Scene& scene) { say(scene, environ == nullptr || environ[0] == nullptr ? "empty" : environ[0]); }

void allocate(Scene& /*scene*/) {
  for (;;) {
    auto* const piece = static_cast<char*>(std::malloc(std::size_t{1} << 20));
    std::memset(piece, 1, std::size_t{1} << 20);  // NULL: what libraries do that do not look
  }
}

void allocate_honestly(Scene& scene) {
  try {
    for (;;) std::memset(::operator new (std::size_t{1} << 20), 1, std::size_t{1} << 20);
  } catch (const std::bad_alloc&) {
    scene.reply.status = wire::Status::out_of_memory;
  }
}

// NOLINTNEXTLINE(misc-no-recursion): that is the mischief
int overflow_stack(int depth) {
  std::array<volatile char, 4096> frame{};
  frame[static_cast<std::size_t>(depth) % frame.size()] = 1;
  return depth < 0 ? 0 : overflow_stack(depth + 1) + frame[0];
}

void write_without_end(Scene& scene) {
  std::array<char, 4096> const piece{};
  while (write(scene.output, piece.data(), piece.size()) > 0) {
  }
}

void send_bytes(std::size_t size) {
  std::array<char, 2 * sizeof(wire::Reply)> const bytes{};
  sandbox::send_record(sandbox::kHelperSocket, bytes.data(), size);
  spin();
}

void reply_with_descriptor(Scene& scene) {
  sandbox::send_record(sandbox::kHelperSocket, &scene.reply, sizeof scene.reply, scene.input);
  spin();
}

// The second one is there when the next call begins.
void reply_twice(Scene& scene) { sandbox::send_record(sandbox::kHelperSocket, &scene.reply, sizeof scene.reply); }

void lie(Scene& scene) {
  auto const& chosen = lies()[number(scene.argument)];
  if (chosen.operation == wire::Operation::transcode || chosen.operation == wire::Operation::slice ||
      chosen.operation == wire::Operation::trim || chosen.operation == wire::Operation::master ||
      chosen.operation == wire::Operation::waveform) {
    write_output(scene, 24);
  }
  chosen.tell(scene.reply);
}

void other(Scene& scene) {
#ifdef AUDIOSTORE_OTHER_READER
  write_output(scene, 5);
#else
  write_output(scene, 100);
  scene.reply.status = wire::Status::needs_other_reader;
#endif
}

constexpr struct {
  const char* name;
  Verb verb;
} kVerbs[] = {
    {"honest", [](Scene& s) { write_output(s, number(s.argument)); }},
    {"other", other},
    {"always_other", [](Scene& s) { s.reply.status = wire::Status::needs_other_reader; }},
    {"damaged", [](Scene& s) { s.reply.status = wire::Status::damaged; }},
    {"descriptors", descriptors},
    {"environment", environment},
    {"polite_open", [](Scene& s) { say(s, open("/etc/passwd", O_RDONLY) < 0 ? "refused" : "opened"); }},
    {"lie", lie},
    // System calls that are not for a decoder.
    {"open", [](Scene&) { try_call(SYS_open, "/etc/passwd", O_RDONLY); }},
    {"openat", [](Scene&) { try_call(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY); }},
    {"openat2", [](Scene&) { try_call(SYS_openat2, AT_FDCWD, "/etc/passwd", nullptr, 0); }},
    {"stat", [](Scene&) { try_call(SYS_newfstatat, AT_FDCWD, "/etc/passwd", nullptr, 0); }},
    {"unlink", [](Scene&) { try_call(SYS_unlink, "/tmp/nothing"); }},
    {"socket", [](Scene&) { try_call(SYS_socket, AF_INET, SOCK_STREAM, 0); }},
    {"connect", [](Scene&) { try_call(SYS_connect, 3, nullptr, 0); }},
    {"sendmsg", [](Scene& s) { try_call(SYS_sendmsg, s.input, nullptr, 0); }},
    {"fork", [](Scene&) { try_call(SYS_fork); }},
    {"clone", [](Scene&) { try_call(SYS_clone, SIGCHLD, 0, 0, 0, 0); }},
    {"clone3", [](Scene&) { try_call(SYS_clone3, nullptr, 0); }},
    {"exec", [](Scene&) { try_call(SYS_execve, "/bin/sh", nullptr, nullptr); }},
    {"ptrace", [](Scene&) { try_call(SYS_ptrace, PTRACE_ATTACH, 0, nullptr, nullptr); }},
    {"kill_parent", [](Scene&) { try_call(SYS_kill, 1, 0); }},
    {"tgkill_other", [](Scene&) { try_call(SYS_tgkill, 1, 1, SIGABRT); }},
    {"read_memory", [](Scene&) { try_call(SYS_process_vm_readv, 1, nullptr, 0, nullptr, 0, 0); }},
    {"prlimit", [](Scene&) { try_call(SYS_prlimit64, 0, RLIMIT_AS, nullptr, nullptr); }},
    {"prctl", [](Scene&) { try_call(SYS_prctl, PR_SET_PDEATHSIG, 0); }},
    {"sigaction", [](Scene&) { std::signal(SIGXCPU, SIG_IGN); }},
    {"memfd", [](Scene&) { try_call(SYS_memfd_create, "x", 0); }},
    {"io_uring", [](Scene&) { try_call(SYS_io_uring_setup, 1, nullptr); }},
    {"fcntl", [](Scene& s) { try_call(SYS_fcntl, s.input, F_GETFD); }},
    {"ioctl", [](Scene& s) { try_call(SYS_ioctl, s.input, 0, nullptr); }},
    {"executable_memory",
     [](Scene&) { try_call(SYS_mmap, nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }},
    {"make_executable", [](Scene&) { try_call(SYS_mprotect, nullptr, 4096, PROT_READ | PROT_EXEC); }},
    // Ends of its own making.
    {"exit", [](Scene&) { _exit(3); }},
    {"abort", [](Scene&) { std::abort(); }},
    {"crash", [](Scene&) { *static_cast<volatile int*>(nullptr) = 1; }},
    {"close", [](Scene&) { close(sandbox::kHelperSocket), spin(); }},
    {"spin", [](Scene&) { spin(); }},
    {"hang", [](Scene&) { read(sandbox::kHelperSocket, nullptr, 0), spin(); }},
    {"allocate", allocate},
    {"allocate_honestly", allocate_honestly},
    {"overflow_stack", [](Scene& s) { s.reply.output_size = static_cast<std::uint64_t>(overflow_stack(1)); }},
    {"write_without_end", write_without_end},
    {"grow", [](Scene& s) { ftruncate(s.output, off_t{1} << 40); }},
    // Replies of the wrong shape.
    {"short", [](Scene&) { send_bytes(sizeof(wire::Reply) - 1); }},
    {"long", [](Scene&) { send_bytes(sizeof(wire::Reply) + 1); }},
    {"byte", [](Scene&) { send_bytes(1); }},
    {"zeros", [](Scene&) { send_bytes(sizeof(wire::Reply)); }},
    {"with_descriptor", reply_with_descriptor},
    {"twice", reply_twice},
};

}  // namespace

void write_output(Scene& scene, std::size_t size) {
  for (std::size_t i = 0; i < size && scene.output >= 0; i++) {
    if (write(scene.output, "x", 1) == 1) scene.reply.output_size++;
  }
}

Verb find_verb(std::string_view name) {
  auto const* const found =
      std::find_if(std::begin(kVerbs), std::end(kVerbs), [&](const auto& entry) { return name == entry.name; });
  return found == std::end(kVerbs) ? nullptr : found->verb;
}

}  // namespace audiostore::test
