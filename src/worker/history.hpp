// Old entries of runs and alerts and done jobs go when they are older than audiostore.run_history; an open alert never
// does. So do the rows of uploads that nobody confirmed in time.
#pragma once

#include "pg/transactions.hpp"
#include "worker/task.hpp"

namespace audiostore::worker {

// Inside the caller's transaction.
void remove_old_history();

class HistoryTask final : public RecurringTask {
 public:
  std::string_view name() const override { return "history"; }
  TimePoint step(TimePoint now) override;
  bool busy() const override { return false; }
  void stop() override {}

 private:
  pg::WorkerTransactions transactions_;
  TimePoint next_{};
};

}  // namespace audiostore::worker
