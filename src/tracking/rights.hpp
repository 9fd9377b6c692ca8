// Evaluating what a table's owner wrote: with the owner's rights and a pinned search_path, so that it means the same
// in every session and cannot borrow the rights of whoever changes the table, or of the worker.
#pragma once

#include "pg/guard.hpp"

namespace audiostore::tracking {

class PinnedSearchPath {
 public:
  PinnedSearchPath();
  ~PinnedSearchPath();
  PinnedSearchPath(const PinnedSearchPath&) = delete;
  PinnedSearchPath& operator=(const PinnedSearchPath&) = delete;

 private:
  int level_ = 0;
};

class OwnersRights {
 public:
  explicit OwnersRights(Oid owner);
  ~OwnersRights();
  OwnersRights(const OwnersRights&) = delete;
  OwnersRights& operator=(const OwnersRights&) = delete;

 private:
  Oid user_ = InvalidOid;
  int security_context_ = 0;
  PinnedSearchPath search_path_;
};

}  // namespace audiostore::tracking
