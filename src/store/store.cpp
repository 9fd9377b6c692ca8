#include "store/store.hpp"

#include "base/encoding.hpp"

namespace audiostore::store {

void Store::check_key(std::string_view key) const {
  constexpr std::size_t kMost = 1024;
  const char* why = nullptr;
  if (key.empty()) why = "It is empty.";
  if (key.size() > kMost) why = "It is longer than 1024 bytes.";
  if (!is_utf8(key)) why = "It is not valid UTF-8.";
  if (key.find('\0') != std::string_view::npos) why = "It contains a NUL byte.";
  if (why == nullptr) return;
  throw Error(ErrorKind::invalid_key, "key \"" + printable(key, 100) + "\" cannot be used", why,
              "A key is 1 to 1024 bytes of UTF-8.");
}

}  // namespace audiostore::store
