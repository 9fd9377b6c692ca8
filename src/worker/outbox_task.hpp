// The outbox as a recurring task of the database worker.
#pragma once

#include "outbox/drain.hpp"
#include "worker/task.hpp"

namespace audiostore::worker {

class OutboxTask final : public RecurringTask {
 public:
  std::string_view name() const override { return "outbox"; }
  TimePoint step(TimePoint now) override {
    if (!recovered_) {
      drain_.recover();
      recovered_ = true;
    }
    return drain_.step(now);
  }
  bool busy() const override { return drain_.busy(); }
  void stop() override { drain_.stop(); }

 private:
  pg::WorkerTransactions transactions_;
  SystemRandom random_;
  outbox::Drain drain_{transactions_, random_};
  bool recovered_ = false;
};

}  // namespace audiostore::worker
