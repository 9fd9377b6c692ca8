// Which keys a directory can hold. A key is a path below the root, segment by segment, so the names that mean
// something else to a file system (empty, ".", "..") are no keys here, though object stores allow them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace audiostore::store::local {

// Where unfinished files live, at the root; no segment of a key may have this name.
inline constexpr std::string_view kStagingDirectory = ".audiostore-tmp";

inline constexpr std::size_t kMaxKeyBytes = 1024;
inline constexpr std::size_t kMaxSegmentBytes = 255;

// Empty when the whole key (prefix included) can be stored, else why not, as a sentence part for DETAIL.
std::string_view why_not_a_key(std::string_view key);
// The same for one segment.
std::string_view why_not_a_segment(std::string_view segment);

// Throws Error(invalid_key) that names the key (shortened when it is very long).
void check_key(std::string_view key);

struct SplitKey {
  std::string parent;  // without trailing slash; empty: the root
  std::string name;
};
SplitKey split(std::string_view key);

}  // namespace audiostore::store::local
