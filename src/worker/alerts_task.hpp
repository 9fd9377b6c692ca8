// The alerts that users asked for, as a recurring task of the database worker.
#pragma once

#include "pg/settings.hpp"
#include "pg/transactions.hpp"
#include "watch/evaluate.hpp"
#include "worker/task.hpp"

namespace audiostore::worker {

class AlertsTask final : public RecurringTask {
 public:
  std::string_view name() const override { return "alerts"; }
  TimePoint step(TimePoint now) override {
    TimePoint const next = last_ + pg::settings::alert_interval();
    if (now < next && now >= last_) return next;
    last_ = now;
    transactions_.run([] { return watch::evaluate_alerts(); });
    return last_ + pg::settings::alert_interval();
  }
  bool busy() const override { return false; }
  void stop() override {}

 private:
  pg::WorkerTransactions transactions_;
  TimePoint last_{};
};

}  // namespace audiostore::worker
