#include "worker/loop.hpp"

#include "pg/background.hpp"
#include "pg/interrupts.hpp"
#include "pg/settings.hpp"
#include "pg/transactions.hpp"
#include "worker/backoff.hpp"
#include "worker/database_worker.hpp"

namespace audiostore::worker {
namespace {

constexpr Milliseconds kLookAtExtension{10'000};
// While exchanges are in flight libcurl waits, and only PostgreSQL's own wait hears that the postmaster is gone.
constexpr Milliseconds kLongestPoll{1'000};
// Together with the end of the step under way (pg/background.hpp) this stays within the second that SIGTERM may take.
constexpr Milliseconds kGiveBack{700};
constexpr Backoff kAfterFailure{.first = Milliseconds{250}, .limit = Milliseconds{60'000}};

Milliseconds until_then(TimePoint now, TimePoint then, Milliseconds longest) {
  if (then <= now) return Milliseconds{0};
  if (then - now >= longest) return longest;
  return std::chrono::ceil<Milliseconds>(then - now);
}

}  // namespace

Oid extension_here() {
  return pg::WorkerTransactions().run([] { return pg::call([] { return get_extension_oid("audiostore", true); }); });
}

Loop::Loop(http::Client& client, std::vector<std::unique_ptr<RecurringTask>> tasks, Oid extension)
    : client_(client), extension_(extension), look_at_extension_(clock_.now() + kLookAtExtension) {
  for (auto& task : tasks) entries_.push_back({std::move(task)});
}

monitor::Ending Loop::run() {
  while (true) {
    try {
      heard_ = wakes();
      if (std::optional<monitor::Ending> const ending = reason_to_end()) return *ending;
      wait(step_all());
      failures_ = 0;
    } catch (...) {
      pg::Failure failure = pg::recover();
      if (pg::stop_requested()) continue;
      monitor::note_error(failure.message);
      failure.message = "audiostore worker: " + failure.message;
      pg::log(pg::Level::warning, failure);
      pg::pause(kAfterFailure.pause(++failures_, random_));
    }
  }
}

std::optional<monitor::Ending> Loop::reason_to_end() {
  if (!pg::stop_requested()) pg::reload_if_asked();
  if (pg::stop_requested() || !pg::settings::enabled()) {
    give_back();
    return monitor::Ending::asked;
  }
  if (!take_look_again() && clock_.now() < look_at_extension_) return std::nullopt;
  // There is nothing to give back: the claims went with the tables. Dropped and created again is another extension,
  // and what the tasks know of its tables is void.
  if (Oid const there = extension_here(); there != extension_) {
    return OidIsValid(there) ? monitor::Ending::replaced : monitor::Ending::no_extension;
  }
  look_at_extension_ = clock_.now() + kLookAtExtension;
  return std::nullopt;
}

TimePoint Loop::step_all() {
  TimePoint const now = clock_.now();
  TimePoint next = look_at_extension_;
  for (Entry& entry : entries_) {
    if (pg::stop_requested()) return now;
    next = std::min(next, step(entry, now));
  }
  note_step();
  return next;
}

TimePoint Loop::step(Entry& entry, TimePoint now) {
  if (entry.not_before > now) return entry.not_before;
  try {
    monitor::activity(entry.task->name());
    TimePoint const next = entry.task->step(now);
    entry.failures = 0;
    return next;
  } catch (...) {
    failed(entry, now);
    return entry.not_before;
  }
}

// Inside the handler of what the step threw.
void Loop::failed(Entry& entry, TimePoint now) {
  pg::Failure failure = pg::recover();
  entry.not_before = now + kAfterFailure.pause(++entry.failures, random_);
  if (pg::stop_requested()) return;
  if (extension_here() != extension_) {
    look_at_extension_ = now;
    return;
  }
  monitor::note_error(failure.message);
  failure.message = "audiostore worker: " + std::string(entry.task->name()) + ": " + failure.message;
  pg::log(pg::Level::warning, failure);
}

// What pg_stat_activity shows while we wait.
void Loop::report() const {
  std::string busy;
  for (const Entry& entry : entries_) {
    if (!entry.task->busy()) continue;
    if (!busy.empty()) busy += ", ";
    busy += entry.task->name();
  }
  if (busy.empty()) {
    report_idle();
  } else {
    monitor::activity(busy + ": waiting for " + std::to_string(client_.in_flight()) + " replies");
  }
}

void Loop::wait(TimePoint until) {
  TimePoint const now = clock_.now();
  if (wakes() != heard_) until = now;
  report();
  std::vector<int> fds;
  for (const Entry& entry : entries_) entry.task->add_wait_fds(fds);
  if (client_.in_flight() == 0 && fds.empty()) {
    pg::wait_for_latch(until_then(now, until, kLookAtExtension));
    return;
  }
  {
    pg::ReportWait const report;
    fds.push_back(pg::wake_fd());
    client_.poll(pg::prepare_wait() ? Milliseconds{0} : until_then(now, until, kLongestPoll), fds);
  }
  pg::after_wait();
  pg::end_without_postmaster();
}

void Loop::give_back() {
  pg::begin_orderly_end();
  for (Entry& entry : entries_) {
    if (!entry.task->busy()) continue;
    try {
      pg::Deadline const deadline(kGiveBack);
      entry.task->stop();
    } catch (...) {
      pg::Failure failure = pg::recover();
      failure.message = "audiostore worker: could not give back claims, which end with their lease: " + failure.message;
      pg::log(pg::Level::warning, failure);
    }
  }
}

}  // namespace audiostore::worker
