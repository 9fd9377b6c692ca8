// Content type and metadata of an object: extended attributes of its file, user.audiostore.content_type and
// user.audiostore.metadata (JSON). On a file system without user attributes they are not kept, and every object
// reads as application/octet-stream without metadata.
#pragma once

#include <string>
#include <string_view>

#include "store/store.hpp"

namespace audiostore::store::local {

inline constexpr std::string_view kDefaultContentType = "application/octet-stream";
// Like S3's limit; it also keeps both attributes within one block of ext4.
inline constexpr std::size_t kMaxMetadataBytes = 2048;

struct Attributes {
  std::string content_type{kDefaultContentType};
  Metadata metadata;
};

// Throws Error(invalid_argument) for what no object may carry.
void check_attributes(const Attributes& attributes, std::string_view key);

void write_attributes(int fd, const Attributes& attributes, std::string_view key);
Attributes read_attributes(int fd);

}  // namespace audiostore::store::local
