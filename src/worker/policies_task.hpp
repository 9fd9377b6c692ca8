// Policies as a recurring task of the database worker.
#pragma once

#include "lifecycle/runner.hpp"
#include "worker/task.hpp"

namespace audiostore::worker {

class PoliciesTask final : public RecurringTask {
 public:
  std::string_view name() const override { return "policies"; }
  TimePoint step(TimePoint now) override {
    if (!recovered_) {
      runner_.recover();
      recovered_ = true;
    }
    return runner_.step(now);
  }
  bool busy() const override { return runner_.busy(); }
  void stop() override { runner_.stop(); }

 private:
  pg::WorkerTransactions transactions_;
  lifecycle::PolicyRunner runner_{transactions_, lifecycle::PolicyRunner::Patience::waits};
  bool recovered_ = false;
};

}  // namespace audiostore::worker
