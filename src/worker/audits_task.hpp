// Audits as a recurring task of the database worker.
#pragma once

#include "audit/runner.hpp"
#include "worker/task.hpp"

namespace audiostore::worker {

class AuditsTask final : public RecurringTask {
 public:
  std::string_view name() const override { return "audits"; }
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
  audit::AuditRunner runner_{transactions_, audit::AuditRunner::Patience::waits};
  bool recovered_ = false;
};

}  // namespace audiostore::worker
