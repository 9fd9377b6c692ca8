#include "lifecycle/runner.hpp"

#include <algorithm>

#include "lifecycle/expired.hpp"
#include "lifecycle/expiry.hpp"
#include "monitor/progress.hpp"
#include "pg/background.hpp"
#include "pg/interrupts.hpp"
#include "pg/own_transaction.hpp"

namespace audiostore::lifecycle {
namespace {

constexpr Milliseconds kLease{60'000};
// Policies that wait for room do not count: they hold up nobody.
constexpr std::size_t kAtOnce = 4;
// Due operations that a store may have before its policies wait.
constexpr std::size_t kMostQueued = 10'000;
constexpr Milliseconds kLookForRoom{500};
// How long a policy goes on while others wait.
constexpr Milliseconds kTurn{5'000};
constexpr Milliseconds kLookForWaiting{1'000};
// A change of the policies comes with a wake; this is for what came some other way, such as a restored dump.
constexpr Milliseconds kLookForPolicies{60'000};
// Wakes that concern other tasks come thick and fast: no look follows another sooner than this.
constexpr Milliseconds kBetweenLooks{250};

TimePoint clock_now() { return SystemClock().now(); }

std::string described(const std::string& message, const std::string& detail) {
  return detail.empty() ? message : message + ": " + detail;
}

}  // namespace

void PolicyRunner::recover() {
  pg::in_own_transaction(transactions_, "audiostore policies", [] { release_policies_of_the_dead(); });
}

TimePoint PolicyRunner::step(TimePoint now) {
  for (Work& work : works_) {
    advance(work, now);
    work.running.done(work.outcome.rows);
  }
  settle_over();
  extend(now);
  claim(now);
  return next_time(now);
}

TimePoint PolicyRunner::next_time(TimePoint now) const {
  TimePoint next = std::max(next_look_, not_before_);
  for (Work const& work : works_) {
    if (work.over || (work.on_rows() && !work.waiting)) return now;
    if (work.page || work.on_rows()) {
      next = std::min(next, work.look_again);
    } else if (work.listed) {
      return now;
    }
    next = std::min(next, work.leased_until - kLease / 2);
  }
  return std::max(next, now);
}

void PolicyRunner::claim(TimePoint now) {
  auto const listing = static_cast<std::size_t>(
      std::count_if(works_.begin(), works_.end(), [](Work const& work) { return !work.waiting; }));
  if (listing >= kAtOnce) {
    if (now >= look_for_waiting_) let_others_in(now);
    next_look_ = look_for_waiting_;
    return;
  }
  if (now < not_before_) {
    next_look_ = not_before_;
    return;
  }
  std::vector<std::int64_t> except = has_run_;
  for (Work const& work : works_) except.push_back(work.claimed.policy.id);
  std::vector<ClaimedPolicy> claimed;
  std::optional<double> due_in;
  pg::in_own_transaction(transactions_, "audiostore policies", [&] {
    claimed = claim_policies(except, kAtOnce - listing, kLease);
    for (ClaimedPolicy const& one : claimed) except.push_back(one.policy.id);
    due_in = seconds_until_due(except);
  });
  nothing_due_ = claimed.empty();
  not_before_ = nothing_due_ ? now + kBetweenLooks : now;
  auto const longest = std::chrono::duration<double>(kLookForPolicies).count();
  double const pause = std::clamp(due_in.value_or(longest), 0.0, longest);
  next_look_ = now + std::chrono::ceil<Milliseconds>(std::chrono::duration<double>(pause));
  for (ClaimedPolicy& one : claimed) {
    if (patience_ == Patience::none) has_run_.push_back(one.policy.id);
    Work& work = works_.emplace_back();
    work.claimed = std::move(one);
    work.leased_until = now + kLease;
    work.turn_until = now + kTurn;
    work.running = monitor::Running("policies", work.claimed.policy.name());
    begin(work);
  }
}

void PolicyRunner::begin(Work& work) {
  std::optional<pg::Failure> failure;
  Policy const& policy = work.claimed.policy;
  pg::in_own_transaction(transactions_, "audiostore policies", [&] {
    failure = pg::attempt([&] {
      if (policy.expiry()) {
        work.store = open_for(policy);
      } else if (policy.tier) {
        work.tiers.emplace(make_tier_rule(policy.rows, *policy.tier),
                           Tiering::Whose{.policy = policy.id, .owner = policy.owner, .before = policy.before});
      } else {
        work.rows.emplace(policy.rows, policy.owner, policy.before);
      }
    });
  });
  if (failure) {
    fail(work, described(failure->message, failure->detail));
  } else if (!work.on_rows()) {
    list(work, work.claimed.policy.resume_after);
  }
}

void PolicyRunner::list(Work& work, std::string after) {
  work.listed = false;
  work.after = std::move(after);
  work.listing = work.store->store->list({.prefix = work.claimed.policy.prefix, .after = work.after});
  work.listing.start([&work] { work.listed = true; });
}

void PolicyRunner::advance(Work& work, TimePoint now) {
  if (work.over) return;
  if (work.on_rows()) {
    if (now >= work.look_again) act_on_rows(work, now);
    return;
  }
  if (!work.page && work.listed) take_page(work);
  if (work.page && !work.over && now >= work.look_again) act(work, now);
}

// The next page is on its way while this one is acted on.
void PolicyRunner::take_page(Work& work) {
  work.listed = false;
  try {
    work.page = work.listing.take();
  } catch (const Error& error) {
    fail(work, described(error.message(), error.detail()));
    return;
  }
  work.look_again = {};
  if (!work.page->more) return;
  if (work.page->resume <= work.after) {
    fail(work, "the listing of the store goes round in circles");
    return;
  }
  list(work, work.page->resume);
}

void PolicyRunner::act(Work& work, TimePoint now) {
  Policy const& policy = work.claimed.policy;
  auto const expired = expired_of(*work.page, {.prefix = policy.prefix, .before = policy.before});
  bool room = true;
  if (!expired.empty()) {
    std::optional<pg::Failure> failure;
    pg::in_own_transaction(transactions_, "audiostore policies",
                           [&] { failure = pg::attempt([&] { room = act_in_transaction(work, expired); }); });
    if (failure) fail(work, described(failure->message, failure->detail));
    if (work.over) return;
    work.leased_until = now + kLease;
  }
  work.waiting = !room;
  if (room) {
    end_page(work);
  } else if (patience_ == Patience::none) {
    work.outcome.kind = PolicyOutcome::Kind::put_off;
    work.over = true;
  } else {
    work.look_again = now + kLookForRoom;
  }
}

// False: the outbox has enough to do.
bool PolicyRunner::act_in_transaction(Work& work, std::span<const store::ObjectInfo* const> expired) {
  Policy policy = work.claimed.policy;
  bool const room = policy.dry_run || operations_due(policy.store, kMostQueued) + expired.size() <= kMostQueued;
  if (room && work.page->more) policy.resume_after = work.page->resume;
  if (!keep_policy(policy, kLease)) {
    work.over = true;
    return true;
  }
  if (!room) return false;
  auto const removable = removable_of(policy.store, expired);
  if (!policy.dry_run) queue_deletes(policy, removable);
  work.claimed.policy.resume_after = policy.resume_after;
  work.outcome.rows += static_cast<std::int64_t>(removable.size());
  work.outcome.bytes += bytes_of(removable);
  work.outcome.kept += static_cast<std::int64_t>(expired.size() - removable.size());
  return true;
}

void PolicyRunner::act_on_rows(Work& work, TimePoint now) {
  std::optional<pg::Failure> failure;
  RowCounts counts{.rows = work.outcome.rows, .bytes = work.outcome.bytes, .kept = work.outcome.kept, .row_error = {}};
  bool more = false;
  bool room = true;
  pg::in_own_transaction(transactions_, "audiostore policies", [&] {
    if (!keep_policy(work.claimed.policy, kLease)) return;
    room = !work.tiers || work.claimed.policy.dry_run ||
           count_under_way(work.claimed.policy.id, kMostUnderWay) + RowWalk::kBatch <= kMostUnderWay;
    if (room) failure = pg::attempt([&] { more = run_rows(work, counts); });
  });
  work.waiting = !room;
  if (!room) {
    if (patience_ == Patience::none) {
      work.outcome.kind = PolicyOutcome::Kind::put_off;
      work.over = true;
    }
    work.look_again = now + kLookForRoom;
    return;
  }
  work.leased_until = now + kLease;
  if (failure) {
    fail(work, described(failure->message, failure->detail));
    return;
  }
  work.outcome.rows = counts.rows;
  work.outcome.bytes = counts.bytes;
  work.outcome.kept = counts.kept;
  if (!counts.row_error.empty()) work.outcome.row_error = counts.row_error;
  work.over = !more;
}

bool PolicyRunner::run_rows(Work& work, RowCounts& counts) {
  if (work.claimed.policy.dry_run) {
    counts = work.tiers ? work.tiers->count() : work.rows->count();
    return false;
  }
  return work.tiers ? work.tiers->run_batch(counts) : work.rows->run_batch(counts);
}

// All places are taken: when others are due, who has been at it the longest, and for a turn at least, comes after them.
void PolicyRunner::let_others_in(TimePoint now) {
  look_for_waiting_ = now + kLookForWaiting;
  if (patience_ == Patience::none) return;  // each runs once, and to its end
  auto longest = works_.end();
  std::vector<std::int64_t> except;
  for (auto work = works_.begin(); work != works_.end(); ++work) {
    except.push_back(work->claimed.policy.id);
    bool const has_had_turn = !work->over && !work->waiting && now >= work->turn_until;
    if (has_had_turn && (longest == works_.end() || work->turn_until < longest->turn_until)) longest = work;
  }
  if (longest == works_.end()) return;
  std::optional<double> due_in;
  pg::in_own_transaction(transactions_, "audiostore policies", [&] { due_in = seconds_until_due(except); });
  if (!due_in || *due_in > 0) return;
  longest->outcome.kind = PolicyOutcome::Kind::put_off;
  longest->over = true;
}

void PolicyRunner::end_page(Work& work) {
  if (work.page->more) {
    work.claimed.policy.resume_after = work.page->resume;
  } else {
    work.over = true;
  }
  work.page.reset();
}

void PolicyRunner::fail(Work& work, std::string why) {
  monitor::note_error(work.claimed.policy.name() + ": " + why);
  work.outcome.kind = PolicyOutcome::Kind::failed;
  work.outcome.error = std::move(why);
  work.over = true;
}

void PolicyRunner::settle_over() {
  bool const any = std::any_of(works_.begin(), works_.end(), [](Work const& work) { return work.over; });
  if (!any) return;
  pg::in_own_transaction(transactions_, "audiostore policies", [&] {
    for (Work const& work : works_) {
      if (work.over) settle_policy(work.claimed, work.outcome);
    }
  });
  for (Work const& work : works_) {
    if (!work.over) continue;
    totals_.rows += work.outcome.rows;
    totals_.bytes += work.outcome.bytes;
  }
  works_.remove_if([](Work const& work) { return work.over; });
}

void PolicyRunner::extend(TimePoint now) {
  auto const due = [&](Work const& work) { return work.leased_until - now < kLease / 2; };
  if (std::none_of(works_.begin(), works_.end(), due)) return;
  pg::in_own_transaction(transactions_, "audiostore policies", [&] {
    for (Work& work : works_) {
      if (!due(work)) continue;
      if (!keep_policy(work.claimed.policy, kLease)) {
        work.over = true;
      }
      work.leased_until = now + kLease;
    }
  });
}

void PolicyRunner::stop() {
  std::list<Work> const works = std::move(works_);
  works_.clear();
  pg::in_own_transaction(transactions_, "audiostore policies", [&] {
    for (Work const& work : works) {
      PolicyOutcome outcome = work.outcome;
      if (!work.over) outcome.kind = PolicyOutcome::Kind::interrupted;
      settle_policy(work.claimed, outcome);
    }
  });
}

PolicyTotals run_policies_now() {
  pg::ProcedureTransactions transactions;
  PolicyRunner runner(transactions, PolicyRunner::Patience::none);
  try {
    runner.recover();
    for (;;) {
      TimePoint const next = runner.step(clock_now());
      if (runner.idle()) break;
      auto const pause = std::chrono::duration_cast<Milliseconds>(next - clock_now());
      bool const woken = pg::prepare_wait();
      foreign::client().poll(woken ? Milliseconds(0) : std::clamp(pause, Milliseconds(0), Milliseconds(100)),
                             pg::wake_fd());
      pg::after_wait();
    }
  } catch (...) {
    transactions.abort();
    runner.stop();
    throw;
  }
  return runner.totals();
}

}  // namespace audiostore::lifecycle
