// Which databases may have a worker: those that take connections, are no templates and are in audiostore.databases;
// where that names a template, it means it.
#pragma once

#include <string>
#include <vector>

#include "pg/guard.hpp"

namespace audiostore::worker {

struct Candidate {
  Oid database;
  std::string name;
};

// In order of oid; inside a transaction of a process that sees the shared catalogs.
std::vector<Candidate> candidates(const std::string& named);

}  // namespace audiostore::worker
