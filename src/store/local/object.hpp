// A file as an object: what its inode says, without reading a byte.
#pragma once

#include <sys/stat.h>

#include <string>

#include "store/store.hpp"

namespace audiostore::store::local {

// The etag is made of modification time, size and inode, so it changes whenever the object is written again.
ObjectInfo describe(const struct stat& status, std::string key);

}  // namespace audiostore::store::local
