#include "store/local/key.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace audiostore::store::local {

constexpr std::size_t kShownBytes = 200;

std::string_view why_not_a_segment(std::string_view segment) {
  if (segment.empty()) return "It has an empty segment, or begins or ends with a slash.";
  if (segment == "." || segment == "..") return R"(It has a segment "." or "..".)";
  if (segment == kStagingDirectory) return "The name .audiostore-tmp is kept for unfinished files.";
  if (segment.size() > kMaxSegmentBytes) return "A segment between slashes is longer than 255 bytes.";
  if (segment.find('\0') != std::string_view::npos) return "It contains a NUL byte.";
  return {};
}

std::string_view why_not_a_key(std::string_view key) {
  if (key.empty()) return "It is empty.";
  if (key.size() > kMaxKeyBytes) return "It is longer than 1024 bytes.";
  if (key.front() == '/') return "It begins with a slash; keys are relative to the store's root.";
  for (std::string_view rest = key;;) {
    const std::size_t slash = rest.find('/');
    if (const std::string_view why = why_not_a_segment(rest.substr(0, slash)); !why.empty()) return why;
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  return is_utf8(key) ? std::string_view{} : "It is not valid UTF-8.";
}

void check_key(std::string_view key) {
  const std::string_view why = why_not_a_key(key);
  if (why.empty()) return;
  throw Error(ErrorKind::invalid_key, "key \"" + printable(key, kShownBytes) + "\" cannot be used in a local store",
              std::string(why),
              "A local store's keys are file paths: segments of 1 to 255 bytes separated by single slashes, at most "
              "1024 bytes in all.");
}

SplitKey split(std::string_view key) {
  const std::size_t slash = key.rfind('/');
  if (slash == std::string_view::npos) return {.parent = {}, .name = std::string(key)};
  return {.parent = std::string(key.substr(0, slash)), .name = std::string(key.substr(slash + 1))};
}

}  // namespace audiostore::store::local
