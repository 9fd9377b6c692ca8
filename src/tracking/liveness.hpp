// live_when: a boolean expression over one row that says whether the row owns its object.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pg/pg.hpp"

namespace audiostore::tracking {

struct Liveness {
  // Planned and ready for ExecInitExpr; null when every row is live. Lives in `memory`.
  Expr* expression = nullptr;
  Node* parsed = nullptr;  // the same before planning, for turning it into text again
  bool trusted = true;     // calls built-in functions only: no need to shed the user's rights
  std::vector<AttrNumber> columns;
  std::shared_ptr<MemoryContextData> memory;
};

// Parses in a search_path of pg_catalog only, as the text in tracked_columns was made for that. Throws
// PostgreSQL's own errors for what does not parse, and SqlError for what may not be part of live_when.
Liveness compile_liveness(Relation relation, const std::string& text);

// The text to record for what a user wrote: the same text if it means the same in a search_path of pg_catalog only,
// otherwise one with every name qualified.
std::string canonical_liveness(Relation relation, const std::string& text);

// A parsed expression as text, with every name qualified and the columns named as they are now.
std::string liveness_text(Oid relation, Node* parsed);

}  // namespace audiostore::tracking
