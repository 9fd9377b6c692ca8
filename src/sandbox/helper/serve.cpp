#include "sandbox/helper/serve.hpp"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "sandbox/exchange.hpp"
#include "sandbox/hello.hpp"
#include "sandbox/helper/confinement.hpp"
#include "sandbox/helper/memory.hpp"

namespace audiostore::sandbox {
namespace {

namespace wire = audio::wire;

struct Work {
  ssize_t size = 0;  // of the record; 0: the parent is gone
  wire::Request request{};
  std::array<int, 2> descriptors{-1, -1};  // input, output

  bool makes_sense() const {
    return size == static_cast<ssize_t>(sizeof request) && request.magic == wire::kRequestMagic &&
           request.version == wire::kVersion && descriptors[0] >= 0;
  }
};

void take_descriptors(msghdr& message, std::array<int, 2>& descriptors) {
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) return;
  std::size_t const bytes = std::min(header->cmsg_len - CMSG_LEN(0), sizeof descriptors);
  std::memcpy(descriptors.data(), CMSG_DATA(header), bytes);
}

Work wait_for_work() {
  Work work;
  iovec part{&work.request, sizeof work.request};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof work.descriptors)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  do {
    work.size = recvmsg(kHelperSocket, &message, 0);
  } while (work.size < 0 && errno == EINTR);
  if (work.size > 0) take_descriptors(message, work.descriptors);
  return work;
}

}  // namespace

int serve(Perform perform) {
  tell_crashes_for_want_of_memory();
  Hello const hello{kHelloMagic, wire::kVersion, address_space()};
  if (!confine()) return kExitNotConfined;
  if (!send_record(kHelperSocket, &hello, sizeof hello)) return kExitClosed;
  for (;;) {
    Work const work = wait_for_work();
    if (work.size <= 0) return kExitClosed;
    if (!work.makes_sense()) return kExitBadRequest;
    wire::Reply const reply = perform(work.request, work.descriptors[0], work.descriptors[1]);
    for (int const fd : work.descriptors) {
      if (fd >= 0) close(fd);
    }
    if (!send_record(kHelperSocket, &reply, sizeof reply)) return kExitClosed;
  }
}

}  // namespace audiostore::sandbox
