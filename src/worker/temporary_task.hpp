// The ends of leases as a recurring task of the database worker.
#pragma once

#include "temporary/expire.hpp"
#include "worker/task.hpp"

namespace audiostore::worker {

class TemporaryTask final : public RecurringTask {
 public:
  std::string_view name() const override { return "temporary objects"; }
  TimePoint step(TimePoint now) override {
    if (now < next_) return next_;
    bool more = false;
    TimePoint due{};
    transactions_.run([&] {
      due = temporary::next_due();
      if (due > now) return;
      more = temporary::expire_batch().full;
      due = temporary::next_due();
    });
    // A lease may be made that ends before the one that ends next now.
    next_ = more ? now : std::clamp(due, now + kLeastPause, now + kLongestPause);
    return next_;
  }
  bool busy() const override { return false; }
  void stop() override {}

 private:
  static constexpr Milliseconds kLeastPause{250};
  static constexpr Milliseconds kLongestPause{2'000};
  pg::WorkerTransactions transactions_;
  TimePoint next_{};
};

}  // namespace audiostore::worker
