// Rows that follow moved objects, as a recurring task of the database worker.
#pragma once

#include "lifecycle/hand_over.hpp"
#include "worker/task.hpp"

namespace audiostore::worker {

class MovesTask final : public RecurringTask {
 public:
  std::string_view name() const override { return "moves"; }
  TimePoint step(TimePoint now) override { return hand_over_.step(now); }
  bool busy() const override { return hand_over_.busy(); }
  void stop() override { hand_over_.stop(); }

 private:
  pg::WorkerTransactions transactions_;
  lifecycle::HandOver hand_over_{transactions_};
};

}  // namespace audiostore::worker
