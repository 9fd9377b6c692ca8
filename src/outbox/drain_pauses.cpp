// What would surprise you: a transient failure of a store as a whole (network, bucket, credentials) is first put to
// the test by a probe request. Only when the probe fails too is the store paused; otherwise the operation alone is
// to blame.
#include "monitor/alerts.hpp"
#include "monitor/progress.hpp"
#include "outbox/drain.hpp"
#include "pg/own_transaction.hpp"

namespace audiostore::outbox {
namespace {

constexpr Milliseconds kLongestClaimPause{60000};

Task<void> probe_store(std::shared_ptr<foreign::OpenStore> store, std::optional<Error>& failure) {
  try {
    auto call = store->store->list(store::ListQuery{.prefix = {}, .after = {}, .limit = 1});
    co_await call;
  } catch (const Error& error) {
    failure = error;
  } catch (const std::exception& error) {
    failure = Error(ErrorKind::internal, error.what());
  }
}

}  // namespace

void Drain::start_probe(Slot& slot) {
  slot.probing = true;
  if (!slot.open) {
    // It was the opening that failed: try just that again.
    try {
      pg::in_own_transaction(transactions_, "audiostore drain", [&] { open(slot); });
    } catch (const Error& error) {
      pause(slot, error, SystemClock().now());
      return;
    } catch (const pg::SqlError& error) {
      pause(slot, Error(ErrorKind::unavailable, error.message(), error.detail(), error.hint()), SystemClock().now());
      return;
    }
  }
  Running& running = running_.emplace_back();
  running.slot = &slot;
  running.probe = true;
  slot.in_flight++;
  running.batch.task = probe_store(slot.open, running.probe_error);
  running.batch.task.start([&running] { running.done = true; });
}

void Drain::pause(Slot& slot, const Error& error, TimePoint now) {
  slot.probing = false;
  Milliseconds const longest = slot.open ? slot.open->config.common.max_retry_delay : Milliseconds(60000);
  slot.breaker.trip(now, longest, random_);
  monitor::note_error(described(error));
  if (std::exchange(slot.alerted, true)) return;
  std::string const message = "store \"" + slot.name + "\" is paused: " + described(error);
  pg::in_own_transaction(transactions_, "audiostore drain", [&] {
    monitor::raise_alert({.name = "store_paused", .subject = slot.name, .message = message});
  });
}

void Drain::claims_failed(Slot& slot, const std::string& why, TimePoint now) {
  slot.claims.trip(now, kLongestClaimPause, random_);
  slot.not_again_before = slot.claims.retry_at();
  std::string const message = "store \"" + slot.name + "\" is paused: " + why;
  monitor::note_error(message);
  slot.judged = false;
  if (slot.claims.failures() > 1) return;
  pg::in_own_transaction(transactions_, "audiostore drain", [&] {
    monitor::raise_alert({.name = "rows_unreadable", .subject = slot.name, .message = message});
  });
}

}  // namespace audiostore::outbox
