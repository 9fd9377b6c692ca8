// What an audit can find, and what it suspects before it has looked again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "store/store.hpp"

namespace audiostore::audit {

enum class Finding { orphaned_object, dangling_row, size_mismatch, unfinished_upload, wrong_bytes };

inline const char* finding_name(Finding finding) {
  switch (finding) {
    case Finding::orphaned_object: return "orphaned_object";
    case Finding::dangling_row: return "dangling_row";
    case Finding::size_mismatch: return "size_mismatch";
    case Finding::unfinished_upload: return "unfinished_upload";
    case Finding::wrong_bytes: return "wrong_bytes";
  }
  return "";
}

// A table of the tracked columns, as the merge and the evidence number them: its relation's oid and the key column.
struct Candidate {
  Finding finding = Finding::orphaned_object;
  std::string key;
  unsigned relation = 0;                    // of the row; 0: none
  std::string key_column;                   // of the row
  std::optional<store::ObjectInfo> listed;  // none: the listing does not have it
};

}  // namespace audiostore::audit
