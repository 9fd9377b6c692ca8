// The audio cache as a recurring task of the database worker.
#pragma once

#include "cache/maintain.hpp"
#include "worker/task.hpp"

namespace audiostore::worker {

class CacheTask final : public RecurringTask {
 public:
  std::string_view name() const override { return "cache"; }
  TimePoint step(TimePoint now) override;
  bool busy() const override { return false; }
  void stop() override;

  // All of it once, for run('expiry'). Returns how many rows went.
  static std::int64_t run_once(pg::Transactions& transactions);

 private:
  pg::WorkerTransactions transactions_;
  cache::Maintenance maintenance_{transactions_};
  TimePoint next_fold_{};
  TimePoint next_full_{};
  TimePoint next_archive_{};
};

}  // namespace audiostore::worker
