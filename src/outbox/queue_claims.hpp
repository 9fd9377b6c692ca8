// Rows of the queue as claims and settlements meet them. Inside the worker's short transactions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "outbox/due_scan.hpp"
#include "outbox/queue_relations.hpp"

namespace audiostore::outbox {

// The version of a row that a claim wrote.
struct ClaimedRow {
  std::int64_t id = 0;
  ItemPointerData tid{};
};

struct ClaimedDelete {
  ClaimedRow row;
  TimestampTz not_before = 0;
  int attempts = 0;  // this one included
  bool in_doubt = false;
  std::string key;
};

class QueueClaims {
 public:
  QueueClaims();
  ~QueueClaims();
  QueueClaims(const QueueClaims&) = delete;
  QueueClaims& operator=(const QueueClaims&) = delete;

  // No visible operation is of another kind.
  bool only_deletes();

  // Marks deletes that are due as running by this process, in the order in which they are due, and passes over what
  // others have locked or claimed, and over other kinds.
  void claim(const DueRows& due, std::vector<ClaimedDelete>& claimed);

  // Removes rows that this process claimed. Returns the ids of those that are not where the claim left them.
  std::vector<std::int64_t> remove_claimed(std::span<const ClaimedRow> rows);

 private:
  void claim_row(const DueRows& due, TupleTableSlot* changed, std::vector<ClaimedDelete>& claimed);
  bool remove_if_claimed(const ClaimedRow& row, BlockNumber blocks);

  QueueRelations table_;
  TupleTableSlot* slot_ = nullptr;
};

}  // namespace audiostore::outbox
