#include "store/body.hpp"

#include <unistd.h>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace audiostore::store {

BytesView Body::read(std::uint64_t offset, std::uint64_t length, Bytes& buffer) const {
  if (descriptor_ < 0) return bytes_.substr(offset, length);
  buffer.resize(length);
  for (std::uint64_t done = 0; done < length;) {
    const ssize_t got = pread(descriptor_, buffer.data() + done, length - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error(ErrorKind::internal, "could not read the file to be put", std::strerror(errno));
    if (got == 0) throw Error(ErrorKind::interrupted, "the file to be put became shorter while it was read");
    done += static_cast<std::uint64_t>(got);
  }
  return buffer;
}

}  // namespace audiostore::store
