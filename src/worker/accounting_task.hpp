// Accounting as a recurring task of the database worker: a piece of the count in each step.
#pragma once

#include "cost/accounting.hpp"
#include "pg/settings.hpp"
#include "worker/runs.hpp"
#include "worker/task.hpp"

namespace audiostore::worker {

class AccountingTask final : public RecurringTask {
 public:
  std::string_view name() const override { return "accounting"; }
  TimePoint step(TimePoint now) override;
  bool busy() const override { return accounting_.busy(); }
  // Nothing is claimed; the count begins anew some other time.
  void stop() override { accounting_.abandon(); }

 private:
  void begin();
  void end(const cost::Accounted& result);

  pg::WorkerTransactions transactions_;
  cost::Accounting accounting_{transactions_};
  std::optional<std::int64_t> run_;
  TimePoint last_{};
  bool looked_ = false;
};

}  // namespace audiostore::worker
