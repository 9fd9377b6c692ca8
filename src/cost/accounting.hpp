// Accounting: what is stored, and what it costs, as samples in audiostore.storage_samples. A census counts it piece by
// piece; its result is written in one transaction.
#pragma once

#include <optional>
#include <string>

#include "base/clock.hpp"
#include "cost/census.hpp"
#include "monitor/running.hpp"
#include "pg/transactions.hpp"

namespace audiostore::cost {

struct Accounted {
  std::int64_t objects = 0;
  std::int64_t bytes = 0;
  std::string error;  // empty: everything could be counted
};

class Accounting {
 public:
  explicit Accounting(pg::Transactions& transactions) : transactions_(transactions) {}

  bool busy() const { return census_.has_value(); }
  // When the next sample is due, by the last one there is.
  TimePoint due(std::chrono::seconds interval);
  void begin();
  // Counts one piece in a transaction of its own. The result, when that was the last one.
  std::optional<Accounted> step();
  void abandon();

 private:
  Accounted write();

  pg::Transactions& transactions_;
  std::optional<Census> census_;
  monitor::Running progress_;
};

// All of it, from inside a procedure: CALL audiostore.run('accounting').
Accounted account_now(pg::Transactions& transactions);

// Old samples become fewer; in the caller's transaction.
void thin_samples();

}  // namespace audiostore::cost
