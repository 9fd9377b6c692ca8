// Carrying out claimed operations: no transaction, no PostgreSQL, only the store. A batch of deletes is one call;
// every other operation is a batch of its own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/task.hpp"
#include "foreign/stores.hpp"
#include "outbox/claim.hpp"

namespace audiostore::outbox {

struct Batch {
  std::string store;
  std::vector<Operation> operations;
  std::shared_ptr<foreign::OpenStore> source;
  std::shared_ptr<foreign::OpenStore> target;  // copy, move
  // One for each operation once the task is done; none means that it succeeded.
  std::vector<std::optional<Error>> errors;
  bool sent = false;
  TimePoint leased_until{};
  Task<void> task;
};

// Never throws: whatever fails is in batch.errors.
Task<void> execute(Batch& batch);

}  // namespace audiostore::outbox
