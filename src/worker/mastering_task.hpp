// Mastering as a recurring task of the database worker.
#pragma once

#include "mastering/finalizer.hpp"
#include "worker/task.hpp"

namespace audiostore::worker {

class MasteringTask final : public RecurringTask {
 public:
  std::string_view name() const override { return "mastering"; }
  TimePoint step(TimePoint now) override {
    if (!recovered_) {
      finalizer_.recover();
      recovered_ = true;
    }
    return finalizer_.step(now);
  }
  bool busy() const override { return finalizer_.busy(); }
  void add_wait_fds(std::vector<int>& fds) const override { finalizer_.add_wait_fds(fds); }
  void stop() override { finalizer_.stop(); }

 private:
  pg::WorkerTransactions transactions_;
  mastering::Finalizer finalizer_{transactions_, mastering::Finalizer::Patience::waits};
  bool recovered_ = false;
};

}  // namespace audiostore::worker
