#include "audit/runner.hpp"

#include "audit/milestones.hpp"
#include "monitor/progress.hpp"
#include "pg/background.hpp"
#include "pg/interrupts.hpp"
#include "pg/own_transaction.hpp"
#include "pg/subtransaction.hpp"

namespace audiostore::audit {
namespace {

constexpr Milliseconds kLease{60'000};
constexpr std::size_t kAtOnce = 2;
// Ranges of one audit that are listed side by side, and what is too little to be one.
constexpr std::size_t kRanges = 4;
constexpr double kLeastInRange = 20'000;
// A new audit comes with a wake; this is for what came some other way.
constexpr Milliseconds kLookForAudits{60'000};
// Wakes that concern other tasks come thick and fast: no look follows another sooner than this.
constexpr Milliseconds kBetweenLooks{250};

TimePoint clock_now() { return SystemClock().now(); }

std::string described(const std::string& message, const std::string& detail) {
  return detail.empty() ? message : message + ": " + detail;
}

}  // namespace

void AuditRunner::recover() {
  pg::in_own_transaction(transactions_, "audiostore audits", [] { release_audits_of_the_dead(); });
}

TimePoint AuditRunner::step(TimePoint now) {
  for (Work& work : works_) advance(work, now);
  settle_over();
  extend(now);
  claim(now);
  return next_time(now);
}

TimePoint AuditRunner::next_time(TimePoint now) const {
  TimePoint next = std::max(next_look_, not_before_);
  for (Work const& work : works_) {
    if (work.over) return now;
    next = std::min(next, work.leased_until - kLease / 2);
    for (Strand const& strand : work.strands) {
      if (strand.lane->turn(now) == Lane::Turn::ready) return now;
      if (strand.lane->look_again() > now) next = std::min(next, strand.lane->look_again());
    }
  }
  return std::max(next, now);
}

void AuditRunner::claim(TimePoint now) {
  if (works_.size() >= kAtOnce) {
    next_look_ = now + kLookForAudits;  // the end of one of them is a step too
    return;
  }
  if (now < not_before_) {
    next_look_ = not_before_;
    return;
  }
  std::vector<std::int64_t> except = has_run_;
  for (Work const& work : works_) except.push_back(work.audit.id);
  std::vector<Audit> claimed;
  std::optional<double> due_in;
  pg::in_own_transaction(transactions_, "audiostore audits", [&] {
    queue_audits_of_policies();
    claimed = claim_audits(except, kAtOnce - works_.size(), kLease);
    for (Audit const& one : claimed) except.push_back(one.id);
    due_in = seconds_until_due_audit(except);
  });
  nothing_due_ = claimed.empty();
  not_before_ = nothing_due_ ? now + kBetweenLooks : now;
  auto const longest = std::chrono::duration<double>(kLookForAudits).count();
  double const pause = std::clamp(due_in.value_or(longest), 0.0, longest);
  next_look_ = now + std::chrono::ceil<Milliseconds>(std::chrono::duration<double>(pause));
  for (Audit& one : claimed) {
    if (patience_ == Patience::none) has_run_.push_back(one.id);
    Work& work = works_.emplace_back();
    work.audit = std::move(one);
    work.leased_until = now + kLease;
    begin(work);
  }
}

void AuditRunner::cut(Work& work, std::vector<Range>& ranges) const {
  KeyStatistics statistics = key_statistics(work.audit.store);
  double expected = 0;
  for (Milestone const& milestone : statistics.milestones) {
    if (milestone.key.starts_with(work.audit.prefix)) expected += milestone.keys;
  }
  if (work.audit.prefix.empty()) expected = std::max(expected, statistics.rows);
  std::size_t const most = work.store->store->lists_side_by_side() ? kRanges : 1;
  std::int32_t number = 0;
  for (KeySpan& span : audit::cut(work.audit.prefix, std::move(statistics.milestones),
                                  {.most_spans = most, .least_keys = kLeastInRange})) {
    ranges.push_back({.number = number++, .lists = Lists::objects, .span = std::move(span)});
  }
  ranges.push_back({.number = number,
                    .lists = Lists::unfinished_uploads,
                    .span = {.prefix = work.audit.prefix, .after = {}, .until = {}}});
  add_ranges(work.audit, ranges, objects_seen_before(work.audit).value_or(static_cast<std::int64_t>(expected)));
}

void AuditRunner::begin(Work& work) {
  std::optional<pg::Failure> failure;
  std::vector<Range> ranges;
  pg::in_own_transaction(transactions_, "audiostore audits", [&] {
    failure = pg::attempt([&] {
      foreign::StoreHandle const handle = foreign::find_store(work.audit.store);
      foreign::check_usage(handle, work.audit.owner);
      work.store = foreign::open_store(handle, handle.owner);
      if (auto left = ranges_of(work.audit)) {
        ranges = *std::move(left);
      } else {
        cut(work, ranges);
      }
    });
  });
  if (failure) {
    work.outcome = {.kind = AuditOutcome::Kind::failed, .error = described(failure->message, failure->detail)};
    work.over = true;
    return;
  }
  work.spec = {.store = work.audit.store, .rules = work.audit.rules, .waiting = Waiting::no};
  work.sorted = std::make_unique<SortedRows>(work.audit.prefix);
  for (Range& range : ranges) {
    Strand& strand = work.strands.emplace_back();
    strand.range = std::move(range);
    strand.lane = std::make_unique<Lane>(work.spec, work.store, strand.range.span, strand.range.lists, *work.sorted);
  }
  work.over = work.strands.empty();
}

void AuditRunner::advance(Work& work, TimePoint now) {
  for (Strand& strand : work.strands) {
    if (work.over) return;
    if (strand.lane->turn(now) == Lane::Turn::ready) advance(work, strand, now);
  }
  work.strands.remove_if([&](const Strand& strand) { return strand.lane->turn(now) == Lane::Turn::over; });
  if (work.strands.empty() && !work.over) {
    work.outcome.error = work.note;
    work.over = true;
  }
}

void AuditRunner::advance(Work& work, Strand& strand, TimePoint now) {
  try {
    strand.lane->prepare();
    judge(work, strand, now);
    if (!work.over) strand.lane->go_on();
  } catch (const Error& error) {
    fail(work, error, strand.range.lists);
    if (!work.over) strand.lane->give_up();
  }
}

void AuditRunner::judge(Work& work, Strand& strand, TimePoint now) {
  std::optional<pg::Failure> failure;
  pg::in_own_transaction(transactions_, "audiostore audits", [&] {
    Verdict verdict;
    failure = pg::attempt([&] { verdict = strand.lane->judge(now); });
    if (failure || !verdict.kept) return;
    if (!keep_verdict(work.audit, strand.range, verdict, kLease)) work.over = true;
    work.leased_until = now + kLease;
  });
  if (!strand.lane->note().empty()) work.note = "some objects could not be verified: " + strand.lane->note();
  if (failure) {
    work.outcome = {.kind = AuditOutcome::Kind::failed, .error = described(failure->message, failure->detail)};
    work.over = true;
    monitor::note_error(work.audit.name() + ": " + work.outcome.error);
  }
}

// A store that cannot list unfinished uploads, or does not let us, can be audited all the same.
void AuditRunner::fail(Work& work, const Error& error, Lists lists) {
  std::string const why = described(error.message(), error.detail());
  if (lists == Lists::unfinished_uploads && !transient(error.kind())) {
    work.note = why;
    return;
  }
  monitor::note_error(work.audit.name() + ": " + why);
  work.outcome = {.kind = transient(error.kind()) ? AuditOutcome::Kind::put_off : AuditOutcome::Kind::failed,
                  .error = why};
  work.over = true;
}

void AuditRunner::settle_over() {
  bool const any = std::any_of(works_.begin(), works_.end(), [](Work const& work) { return work.over; });
  if (!any) return;
  pg::in_own_transaction(transactions_, "audiostore audits", [&] {
    for (Work const& work : works_) {
      if (work.over) totals_.findings += settle_audit(work.audit, work.outcome);
    }
  });
  works_.remove_if([](Work const& work) { return work.over; });
}

void AuditRunner::extend(TimePoint now) {
  auto const due = [&](Work const& work) { return work.leased_until - now < kLease / 2; };
  if (std::none_of(works_.begin(), works_.end(), due)) return;
  pg::in_own_transaction(transactions_, "audiostore audits", [&] {
    for (Work& work : works_) {
      if (!due(work)) continue;
      if (!keep_audit(work.audit, kLease)) work.over = true;
      work.leased_until = now + kLease;
    }
  });
}

void AuditRunner::stop() {
  std::list<Work> const works = std::move(works_);
  works_.clear();
  pg::in_own_transaction(transactions_, "audiostore audits", [&] {
    for (Work const& work : works) {
      AuditOutcome outcome = work.outcome;
      if (!work.over) outcome.kind = AuditOutcome::Kind::interrupted;
      settle_audit(work.audit, outcome);
    }
  });
}

AuditTotals run_audits_now() {
  pg::ProcedureTransactions transactions;
  AuditRunner runner(transactions, AuditRunner::Patience::none);
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

}  // namespace audiostore::audit
