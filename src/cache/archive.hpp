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

// Whether an entry is archived: as cache_archive_policies say, also where none of them fits, or in no case.
enum class Archiving { by_policy, always, never };

// Queues the object and writes its row, in this transaction; where the entry is not to be archived the result is empty.
// Throws 22004 without a default store, 42501 without USAGE on it; a policy's store was checked with the policy.
Archived archive(const NewArchive& entry, Archiving archiving);

}  // namespace audiostore::cache
