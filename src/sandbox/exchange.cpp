#include "sandbox/exchange.hpp"

#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace audiostore::sandbox {

bool send_record(int socket, const void* record, std::size_t size, int first, int second) {
  std::array<int, 2> const descriptors{first, second};
  int const count = (first >= 0 ? 1 : 0) + (second >= 0 ? 1 : 0);
  iovec part{const_cast<void*>(record), size};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (count > 0) {
    std::size_t const bytes = static_cast<std::size_t>(count) * sizeof(int);
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(header), descriptors.data(), bytes);
  }
  ssize_t sent = -1;
  do {
    sent = sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(size);
}

Received receive_record(int socket, void* record, std::size_t size) {
  iovec part{record, size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ssize_t received = -1;
  do {
    received = recvmsg(socket, &message, MSG_DONTWAIT);
  } while (received < 0 && errno == EINTR);
  if (received < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? Received::nothing_yet : Received::closed;
  // Descriptors find no room (MSG_CTRUNC): the kernel has dropped them.
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return Received::malformed;
  if (received == 0) return Received::closed;
  return received == static_cast<ssize_t>(size) ? Received::record : Received::malformed;
}

}  // namespace audiostore::sandbox
