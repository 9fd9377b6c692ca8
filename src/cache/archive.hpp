// The archived copy of an entry: an object that outlives it.
#pragma once

#include <string>
#include <string_view>

#include "pg/guard.hpp"

namespace audiostore::cache {

struct Archived {
  std::string store;
  std::string path;
};

struct NewArchive {
  std::string_view key;
  std::string_view audio;
  std::string_view compression;
  Datum metadata = 0;  // jsonb
  std::int32_t duration_ms = 0;
};

// Queues the object and writes its row, in this transaction. Throws 22004 without a default store, 42501 without
// USAGE on it.
Archived archive(const NewArchive& entry);

}  // namespace audiostore::cache
