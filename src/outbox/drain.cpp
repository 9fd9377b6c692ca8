// Looking, claiming, starting. What becomes of it is in drain_outcomes.cpp, and how a store is paused in
// drain_pauses.cpp.
#include "outbox/drain.hpp"

#include "monitor/progress.hpp"
#include "outbox/emptied.hpp"
#include "outbox/enqueue.hpp"
#include "outbox/pending_summary.hpp"
#include "outbox/settle_packs.hpp"
#include "pg/interrupts.hpp"
#include "pg/own_transaction.hpp"
#include "pg/settings.hpp"

namespace audiostore::outbox {
namespace {

constexpr Milliseconds kLease{60000};
// Claims of deletes are this large at most: one flush of the log for all of them.
constexpr std::size_t kMostClaimed = 4000;
constexpr std::size_t kMostReady = 4000;
constexpr std::size_t kPayloadLimit = std::size_t{16} << 20;
// What is due cannot be claimed now (its order, or a row in progress): how long until the next look.
constexpr Milliseconds kBlockedPause{50};
// A look reads past what was removed and is not cleaned up yet, so it can take long. A busy drain spends at most one
// part in so many on it, as it finds its next work by claiming on; an idle one half of its time.
constexpr int kBusyLookShare = 20;
constexpr Milliseconds kBusyLookPause{50};
// Whether what is pending should be read again is asked so often at most.
constexpr Milliseconds kSummaryPause{10'000};
// Where single rows keep coming, each look would find a few of them, and a claim and its settlement cost a flush of
// the log however few they are: after a claim of this many, the next look gives others the time to gather.
constexpr std::size_t kCrowd = 8;
constexpr Milliseconds kGather{10};

TimePoint from_timestamp(TimestampTz timestamp) {
  constexpr std::int64_t kEpochDifference =
      static_cast<std::int64_t>(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
  return TimePoint(std::chrono::microseconds(timestamp + kEpochDifference));
}

TimePoint clock_now() { return SystemClock().now(); }

}  // namespace

Drain::~Drain() = default;

bool Drain::busy() const {
  if (!running_.empty() || !unsettled_.empty()) return true;
  return std::any_of(slots_.begin(), slots_.end(),
                     [](auto const& entry) { return !entry.second.ready.empty() || !entry.second.suspects.empty(); });
}

std::size_t Drain::capacity(const Slot& slot) const {
  auto const all = static_cast<std::size_t>(pg::settings::max_connections());
  auto const own = static_cast<std::size_t>(slot.open ? slot.open->config.common.max_connections : 1);
  std::size_t const left = all > running_.size() ? all - running_.size() : 0;
  return std::min(left, own > slot.in_flight ? own - slot.in_flight : 0);
}

TimePoint Drain::step(TimePoint now) {
  settle_finished(now);
  extend(now);
  // Nobody calls before the time that we asked for unless something happened; too early for a look means later.
  if (now >= look_again() || (!busy() && !looked_since_change_ && now >= gathers_until_)) {
    look(now);
  } else {
    look_wanted_ = true;
  }
  nothing_due_ = true;
  for (auto& [name, slot] : slots_) {
    if (slot.breaker.open(now)) continue;
    if (slot.breaker.tripped()) {
      if (!slot.probing) start_probe(slot);
      nothing_due_ = false;
      continue;
    }
    bool const due = slot.next <= pg::to_timestamp(now) && now >= slot.not_again_before;
    if (due && slot.ready.size() < kMostReady / 2) claim_for(slot, now);
    start_ready(slot);
    if (due && slot.not_again_before <= now) nothing_due_ = false;
  }
  settle_finished(clock_now());
  tell_progress();
  return next_time(now);
}

void Drain::tell_progress() {
  if (idle()) {
    progress_.end();
    return;
  }
  if (!progress_) {
    progress_ = monitor::Running("outbox", {});
    drained_before_ = drained_.operations;
  }
  progress_.done(drained_.operations - drained_before_);
}

TimePoint Drain::next_time(TimePoint now) const {
  TimePoint next = now + kLease / 3;
  for (auto const& running : running_) {
    if (running.done) return now;
  }
  for (auto const& [name, slot] : slots_) {
    if (slot.breaker.tripped()) {
      if (!slot.probing) next = std::min(next, slot.breaker.retry_at());
    } else if (slot.next != DT_NOEND) {
      TimePoint const due = std::max(from_timestamp(slot.next), slot.not_again_before);
      // With all connections taken, only a reply makes room.
      if (slot.ready.size() < kMostReady / 2 || due > now) next = std::min(next, due);
    }
  }
  // Work may come from where nothing wakes anybody (a prepared transaction).
  TimePoint const look_at = look_wanted_ ? look_again() : now + Milliseconds(1000);
  return std::max(std::min(next, look_at), now);
}

TimePoint Drain::look_again() const {
  if (!busy()) return std::max(looked_at_ + look_took_, gathers_until_);
  return looked_at_ + std::max<TimePoint::duration>(kBusyLookShare * look_took_, kBusyLookPause);
}

void Drain::look(TimePoint now) {
  TimePoint const began = clock_now();
  std::vector<DueStore> due;
  pg::in_own_transaction(transactions_, "audiostore drain", [&] {
    due = due_stores(now);
    if (due.empty()) truncate_emptied_packs();
    if (now < summarizes_at_) return;
    refresh_pending_summary();
    summarizes_at_ = now + kSummaryPause;
  });
  for (auto& [name, slot] : slots_) slot.next = DT_NOEND;
  for (DueStore const& found : due) {
    auto& slot = slots_[found.store];
    slot.name = found.store;
    slot.next = found.next;
    if (found.next <= slot.position.not_before) slot.position = {};
    if (found.next <= slot.pack_position.not_before) slot.pack_position = {};
  }
  std::erase_if(slots_, [](auto const& entry) {
    Slot const& slot = entry.second;
    return slot.next == DT_NOEND && slot.ready.empty() && slot.suspects.empty() && slot.in_flight == 0 &&
           !slot.breaker.tripped();
  });
  looked_at_ = clock_now();
  look_took_ = looked_at_ - began;
  looked_since_change_ = true;
  look_wanted_ = false;
}

void Drain::open(Slot& slot) {
  if (slot.open) return;
  foreign::StoreHandle const handle = foreign::find_store(slot.name);
  if (!foreign::claimed_here(handle)) {
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "store \"" + slot.name + "\" is looked after by another database",
                       "This database was restored or cloned from it.",
                       "If this database takes over, run SELECT audiostore.claim_store('" + slot.name + "').");
  }
  slot.open = foreign::open_store(handle, handle.owner);
}

void Drain::claim_for(Slot& slot, TimePoint now) {
  Claim claimed;
  try {
    pg::in_own_transaction(transactions_, "audiostore drain", [&] {
      slot.open.reset();  // options may have changed
      open(slot);
      ClaimRequest const request{.store = slot.name,
                                 .now = now,
                                 .lease = kLease,
                                 .limit = kMostClaimed,
                                 .payload_limit = kPayloadLimit,
                                 .after = slot.position,
                                 .after_packs = slot.pack_position};
      claimed = claim(request);
    });
  } catch (const Error& error) {
    pause(slot, error, now);
    return;
  } catch (const pg::SqlError& error) {
    pause(slot, Error(ErrorKind::unavailable, error.message(), error.detail(), error.hint()), now);
    return;
  } catch (const CannotJudge& error) {
    claims_failed(slot, error.what(), now);
    return;
  }
  slot.claims.close();
  // An alert may be left from a process before us.
  if (!std::exchange(slot.judged, true)) unsettled_.judged.push_back(slot.name);
  // Rows that others have locked are no change: a drain that met nothing else is done.
  if (!claimed.operations.empty() || claimed.cancelled + claimed.put_back > 0) looked_since_change_ = false;
  slot.position = claimed.reached;
  slot.pack_position = claimed.reached_packs;
  slot.ready_until = now + kLease;
  if (!claimed.full) {
    if (claimed.operations.size() >= kCrowd) gathers_until_ = now + kGather;
    // Whatever is left lies in the future, or behind: the next look tells.
    slot.next = DT_NOEND;
    if (claimed.operations.empty() && claimed.cancelled == 0) slot.not_again_before = now + kBlockedPause;
  }
  for (Operation& operation : claimed.operations) {
    if (operation.pack != 0) {
      ClaimedPack& pack = packs_[operation.pack];
      pack.keys++;
      pack.outcome.id = operation.pack;
      pack.outcome.tid = operation.tid;
    }
    slot.ready.push_back(std::move(operation));
  }
  monitor::count({.done = claimed.cancelled, .failed = 0, .bytes = 0});
  drained_.operations += static_cast<std::int64_t>(claimed.cancelled);
}

void Drain::start_ready(Slot& slot) {
  while (!slot.ready.empty() && capacity(slot) > 0) {
    std::vector<Operation> operations;
    std::size_t const batch = slot.open->store->max_remove_batch();
    if (slot.ready.front().kind != Kind::del) {
      operations.push_back(std::move(slot.ready.front()));
      slot.ready.pop_front();
    } else {
      while (!slot.ready.empty() && slot.ready.front().kind == Kind::del && operations.size() < batch) {
        operations.push_back(std::move(slot.ready.front()));
        slot.ready.pop_front();
      }
    }
    start(slot, std::move(operations));
  }
}

void Drain::start(Slot& slot, std::vector<Operation> operations) {
  Running& running = running_.emplace_back();
  running.slot = &slot;
  running.batch.store = slot.name;
  running.batch.source = slot.open;
  running.batch.operations = std::move(operations);
  running.batch.leased_until = slot.ready_until;
  running.batch.errors.assign(running.batch.operations.size(), std::nullopt);
  slot.in_flight++;
  Operation const& first = running.batch.operations.front();
  if (first.kind == Kind::copy || first.kind == Kind::move) {
    try {
      pg::in_own_transaction(transactions_, "audiostore drain", [&] {
        foreign::StoreHandle const handle = foreign::find_store(first.target_store);
        running.batch.target = foreign::open_store(handle, handle.owner);
      });
    } catch (const Error& error) {
      running.batch.errors.front() = error;
    } catch (const pg::SqlError& error) {
      running.batch.errors.front() = Error(ErrorKind::invalid_argument, error.message(), error.detail(), error.hint());
    }
    if (running.batch.errors.front()) {
      running.done = true;
      return;
    }
  }
  running.batch.task = execute(running.batch);
  running.batch.task.start([&running] { running.done = true; });
}

void Drain::extend(TimePoint now) {
  std::vector<std::int64_t> ids;
  bool any_due = false;
  for (Running& running : running_) {
    if (running.probe) continue;
    if (running.batch.leased_until - now < kLease / 2) any_due = true;
  }
  for (auto& [name, slot] : slots_) {
    if (!(slot.ready.empty() && slot.suspects.empty()) && slot.ready_until - now < kLease / 2) any_due = true;
  }
  if (!any_due) return;
  for (Running& running : running_) {
    if (running.probe) continue;
    for (Operation const& operation : running.batch.operations) {
      if (operation.pack == 0) ids.push_back(operation.id);
    }
    running.batch.leased_until = now + kLease;
  }
  for (auto& [name, slot] : slots_) {
    for (Operation const& operation : slot.ready) {
      if (operation.pack == 0) ids.push_back(operation.id);
    }
    for (Suspect const& suspect : slot.suspects) {
      if (suspect.operation.pack == 0) ids.push_back(suspect.operation.id);
    }
    slot.ready_until = now + kLease;
  }
  std::vector<std::int64_t> packs;
  packs.reserve(packs_.size());
  for (auto const& [id, pack] : packs_) packs.push_back(id);
  pg::in_own_transaction(transactions_, "audiostore drain", [&] {
    if (!ids.empty()) extend_leases(ids, now + kLease);
    if (!packs.empty()) {
      extend_pack_leases(packs, now + kLease);
      // Their rows are elsewhere now.
      for (auto& [id, pack] : packs_) ItemPointerSetInvalid(&pack.outcome.tid);
    }
  });
}

void Drain::stop() {
  settle_finished(clock_now());
  std::vector<Outcome> outcomes;
  for (Running const& running : running_) {
    for (Operation const& operation : running.batch.operations) {
      outcomes.push_back({.id = operation.id,
                          .pack = operation.pack,
                          .result = Outcome::Result::unsent,
                          .in_doubt = running.batch.sent});
    }
  }
  for (auto& [name, slot] : slots_) {
    for (Operation const& operation : slot.ready) {
      outcomes.push_back({.id = operation.id,
                          .pack = operation.pack,
                          .result = Outcome::Result::unsent,
                          .in_doubt = operation.in_doubt});
    }
    slot.ready.clear();
    suspects_settled(slot, true, clock_now(), outcomes);
    slot.in_flight = 0;
  }
  running_.clear();
  note(std::move(outcomes));
  settle_noted();
}

void Drain::recover() {
  pg::in_own_transaction(transactions_, "audiostore drain", [] { release_lost_claims(); });
}

Drained drain_now() {
  pg::ProcedureTransactions transactions;
  SystemRandom random;
  Drain drain(transactions, random);
  try {
    drain.recover();
    for (;;) {
      TimePoint const now = clock_now();
      TimePoint const next = drain.step(now);
      if (drain.idle()) return drain.drained();
      auto const pause = std::chrono::duration_cast<Milliseconds>(next - clock_now());
      bool const woken = pg::prepare_wait();
      foreign::client().poll(woken ? Milliseconds(0) : std::clamp(pause, Milliseconds(0), Milliseconds(100)),
                             pg::wake_fd());
      pg::after_wait();
    }
  } catch (...) {
    // A cancel, say: end the failed transaction, then leave no claim behind.
    transactions.abort();
    drain.stop();
    throw;
  }
}

}  // namespace audiostore::outbox
