// What became of the operations that a drain started, and how it is written down. The rest of the drain is in
// drain.cpp.
#include "http/retry.hpp"
#include "monitor/alerts.hpp"
#include "monitor/progress.hpp"
#include "outbox/drain.hpp"
#include "outbox/settle_packs.hpp"
#include "pg/own_transaction.hpp"

namespace audiostore::outbox {
namespace {

bool transient_or_whole(ErrorKind kind) { return transient(kind) || concerns_whole_store(kind); }

}  // namespace

Outcome Drain::failure(const store::Common& common, const Operation& operation, const Error& error, TimePoint now) {
  http::RetryPolicy const policy{.max_attempts = common.max_attempts,
                                 .first_delay = http::RetryPolicy{}.first_delay,
                                 .max_delay = common.max_retry_delay};
  auto const delay =
      http::next_delay(operation.attempts, policy, {.kind = error.kind(), .retry_after = std::nullopt}, random_);
  Outcome outcome{.id = operation.id,
                  .pack = operation.pack,
                  .result = Outcome::Result::failed,
                  .in_doubt = outcome_unknown(error.kind()),
                  .error = described(error)};
  outcome.move = operation.kind == Kind::move;
  if (delay) outcome.retry_at = now + *delay;
  return outcome;
}

void Drain::outcomes_of(Running& running, TimePoint now, std::vector<Outcome>& outcomes) {
  Batch& batch = running.batch;
  std::uint64_t failed = 0;
  std::uint64_t octets = 0;
  for (std::size_t i = 0; i < batch.operations.size(); i++) {
    Operation const& operation = batch.operations[i];
    std::optional<Error> const& error = batch.errors[i];
    if (!error) {
      octets += operation.payload.size();
      Outcome outcome{.id = operation.id,
                      .tid = operation.tid,
                      .pack = operation.pack,
                      .result = Outcome::Result::done,
                      .receipt = operation.receipt};
      if (operation.receipt) outcome.etag = operation.etag;
      if (operation.kind == Kind::move) {
        outcome.result = Outcome::Result::copied;
        outcome.key = operation.key;
        outcome.store = batch.store;
      }
      outcomes.push_back(std::move(outcome));
      continue;
    }
    failed++;
    if (concerns_whole_store(error->kind())) {
      // Is it the store or this operation? The probe tells; until then nothing else is sent.
      Breaker& breaker = running.slot->breaker;
      if (!breaker.tripped()) breaker.trip(now, Milliseconds(1), random_);
      running.slot->suspects.push_back({.operation = operation, .error = *error});
    } else {
      outcomes.push_back(failure(batch.source->config.common, operation, *error, now));
    }
  }
  if (failed > 0) {
    for (auto const& error : batch.errors) {
      if (error) {
        monitor::note_error(described(*error));
        break;
      }
    }
  }
  monitor::Progress const progress{.done = batch.operations.size() - failed, .failed = failed, .bytes = octets};
  monitor::count(progress);
  drained_.operations += static_cast<std::int64_t>(progress.done);
  drained_.bytes += static_cast<std::int64_t>(progress.bytes);
}

void Drain::suspects_settled(Slot& slot, bool store_is_broken, TimePoint now, std::vector<Outcome>& outcomes) {
  for (Suspect const& suspect : slot.suspects) {
    if (store_is_broken) {
      outcomes.push_back(
          {.id = suspect.operation.id, .pack = suspect.operation.pack, .result = Outcome::Result::unsent});
    } else {
      outcomes.push_back(failure(slot.open->config.common, suspect.operation, suspect.error, now));
    }
  }
  slot.suspects.clear();
}

void Drain::settle_finished(TimePoint now) {
  std::vector<std::pair<Slot*, Error>> broken;
  std::vector<Outcome> outcomes;
  for (auto running = running_.begin(); running != running_.end();) {
    if (!running->done) {
      ++running;
      continue;
    }
    Slot& slot = *running->slot;
    slot.in_flight--;
    std::size_t const first = outcomes.size();
    if (running->probe) {
      slot.probing = false;
      bool const still_broken = running->probe_error && transient_or_whole(running->probe_error->kind());
      suspects_settled(slot, still_broken, now, outcomes);
      if (still_broken) {
        broken.emplace_back(&slot, *running->probe_error);
      } else {
        slot.breaker.close();
        slot.alerted = false;
        unsettled_.recovered.push_back(slot.name);
      }
    } else {
      outcomes_of(*running, now, outcomes);
    }
    for (std::size_t i = first; i < outcomes.size(); i++) {
      Outcome const& outcome = outcomes[i];
      if (outcome.result == Outcome::Result::failed && !outcome.retry_at) {
        unsettled_.died.emplace_back(slot.name, outcome.error);
      }
      // An alert may be left from a process before us.
      if (outcome.result == Outcome::Result::done && !std::exchange(slot.proven, true)) {
        unsettled_.recovered.push_back(slot.name);
      }
    }
    running = running_.erase(running);
  }
  note(std::move(outcomes));
  settle_noted();
  for (auto& [slot, error] : broken) pause(*slot, error, now);
}

void Drain::note(std::vector<Outcome> outcomes) {
  for (Outcome& outcome : outcomes) {
    if (outcome.pack == 0) {
      unsettled_.outcomes.push_back(std::move(outcome));
      continue;
    }
    auto const found = packs_.find(outcome.pack);
    if (found == packs_.end()) continue;
    ClaimedPack& pack = found->second;
    pack.outcome.outcomes.push_back(std::move(outcome));
    if (pack.outcome.outcomes.size() < pack.keys) continue;
    unsettled_.packs.push_back(std::move(pack.outcome));
    packs_.erase(found);
  }
}

// Only a commit makes us forget: after an error the next step tries again.
void Drain::settle_noted() {
  if (unsettled_.empty()) return;
  looked_since_change_ = false;
  pg::in_own_transaction(transactions_, "audiostore drain", [&] {
    settle(unsettled_.outcomes);
    settle_packs(unsettled_.packs);
    for (std::string const& store : unsettled_.recovered) monitor::clear_alert("store_paused", store);
    for (std::string const& store : unsettled_.judged) monitor::clear_alert("rows_unreadable", store);
    for (auto const& [store, error] : unsettled_.died) {
      std::string message = "an operation of store \"";
      message.append(store).append("\" was given up: ").append(error);
      monitor::raise_alert({.name = "dead_operation", .subject = store, .message = message});
    }
  });
  unsettled_ = {};
}

}  // namespace audiostore::outbox
