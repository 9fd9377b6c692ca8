// The main loop of a database worker, to be read aloud: as long as nobody asks it to end, let every task step, then
// wait for a reply, for its latch or for the next deadline. It never waits inside a transaction, and an error of a task
// costs that task a pause and the worker nothing.
#pragma once

#include <memory>
#include <vector>

#include "base/random.hpp"
#include "monitor/shared.hpp"
#include "pg/guard.hpp"
#include "worker/task.hpp"

namespace audiostore::worker {

class Loop {
 public:
  Loop(http::Client& client, std::vector<std::unique_ptr<RecurringTask>> tasks, Oid extension);

  // Until asked to end; every claim has been given back then.
  monitor::Ending run();

 private:
  struct Entry {
    std::unique_ptr<RecurringTask> task;
    int failures = 0;
    TimePoint not_before{};
  };

  std::optional<monitor::Ending> reason_to_end();
  TimePoint step_all();
  TimePoint step(Entry& entry, TimePoint now);
  void failed(Entry& entry, TimePoint now);
  void report() const;
  void wait(TimePoint until);
  void give_back();

  http::Client& client_;
  std::vector<Entry> entries_;
  Oid extension_;
  TimePoint look_at_extension_{};
  std::uint64_t heard_ = 0;  // wakes, before the current round of steps
  int failures_ = 0;
  SystemClock clock_;
  SystemRandom random_;
};

// The oid of the extension in this database, 0 when it is not there; in a transaction of its own.
Oid extension_here();

}  // namespace audiostore::worker
