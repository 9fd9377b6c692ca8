// Resumable uploads as a recurring task of the database worker. Chunks and operations come with wakes and replies.
#pragma once

#include "outbox/receipts.hpp"
#include "uploads/assembly.hpp"
#include "worker/task.hpp"

namespace audiostore::worker {

class AssemblyTask final : public RecurringTask {
 public:
  std::string_view name() const override { return "chunked uploads"; }
  TimePoint step(TimePoint now) override {
    bool const receipts = outbox::receipts_written() != receipts_;
    if (now < not_before_ && !receipts) return not_before_;
    receipts_ = outbox::receipts_written();
    bool const advanced = uploads::advance_uploads(transactions_) > 0;
    not_before_ = now + (advanced ? kBetweenLooks : kIdle);
    return not_before_;
  }
  bool busy() const override { return false; }
  void stop() override {}

 private:
  static constexpr Milliseconds kBetweenLooks{50};
  static constexpr Milliseconds kIdle{1'000};

  pg::WorkerTransactions transactions_;
  std::uint64_t receipts_ = 0;
  TimePoint not_before_{};
};

}  // namespace audiostore::worker
