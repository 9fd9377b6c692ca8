// Reading a descriptor at offsets, inside the window that was filled in.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "audio/source.hpp"

namespace audiostore::audio {

std::size_t Input::read_at(std::uint64_t offset, std::span<char> buffer) const {
  if (offset >= size()) return 0;
  const std::uint64_t wanted = std::min<std::uint64_t>(buffer.size(), size() - offset);
  if (!whole() && offset + wanted > shape_.head && offset < size() - shape_.tail) throw NeedsWholeInput();
  std::size_t done = 0;
  while (done < wanted) {
    const ssize_t got =
        ::pread(descriptor_, buffer.data() + done, wanted - done, static_cast<off_t>(origin_ + offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Failure(wire::Status::failed, "could not read the input", std::strerror(errno));
    if (got == 0) break;  // shorter than announced: the reader sees an early end
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace audiostore::audio
