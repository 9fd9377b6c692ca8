#include "store/local/object.hpp"

#include <array>
#include <cstdio>

namespace audiostore::store::local {

ObjectInfo describe(const struct stat& status, std::string key) {
  const auto since_epoch =
      std::chrono::seconds{status.st_mtim.tv_sec} + std::chrono::nanoseconds{status.st_mtim.tv_nsec};
  std::array<char, 64> etag{};
  std::snprintf(etag.data(), etag.size(), "%llx-%llx-%llx", static_cast<unsigned long long>(since_epoch.count()),
                static_cast<unsigned long long>(status.st_size), static_cast<unsigned long long>(status.st_ino));
  ObjectInfo info;
  info.key = std::move(key);
  info.size = static_cast<std::uint64_t>(status.st_size);
  info.etag = etag.data();
  info.last_modified = TimePoint{std::chrono::floor<std::chrono::microseconds>(since_epoch)};
  info.storage_class = "STANDARD";
  return info;
}

}  // namespace audiostore::store::local
