// What a tracked table gets: four statement triggers, on it and on everything below it, and an index that finds keys.
#pragma once

#include <string>
#include <vector>

#include "pg/pg.hpp"
#include "tracking/column.hpp"

namespace audiostore::tracking {

// Creates those of the four triggers that the relation lacks. They go with the extension, so that DROP EXTENSION
// needs no CASCADE for them.
void install_triggers(Oid relation);
void remove_triggers(Oid relation);
bool has_triggers(Oid relation);
bool is_own_trigger_name(std::string_view name);

// Creates an index on the key column of each relation of the tree that has none; a partitioned table gets one that
// its partitions share.
void ensure_key_indexes(const std::vector<Oid>& tree, const std::string& key_column);

// While this lives, our own DDL does not set off our event triggers.
class OwnDdl {
 public:
  OwnDdl() { depth_++; }
  ~OwnDdl() { depth_--; }
  OwnDdl(const OwnDdl&) = delete;
  OwnDdl& operator=(const OwnDdl&) = delete;
  static bool running() { return depth_ > 0; }

 private:
  static inline int depth_ = 0;
};

}  // namespace audiostore::tracking
