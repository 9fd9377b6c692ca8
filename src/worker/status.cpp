// What SQL sees of the workers: worker_status, worker_state(), wake().
#include "monitor/shared.hpp"
#include "monitor/wake.hpp"
#include "pg/background.hpp"
#include "pg/result_set.hpp"
#include "pg/settings.hpp"

namespace audiostore::worker {
namespace {

const char* name_of(monitor::State state) {
  switch (state) {
    case monitor::State::starting: return "starting";
    case monitor::State::running: return "running";
    case monitor::State::ended:
    case monitor::State::waiting: return "waiting";
    case monitor::State::free: break;
  }
  return "none";
}

// A slot as it was under the lock.
struct Seen {
  Oid database;
  monitor::State state;
  int pid;
  TimestampTz started_at, since, last_step, last_error_at;
  std::uint64_t done, failed, bytes;
  char last_error[sizeof(monitor::Slot::last_error)];
};

Seen look_at(monitor::Slot& slot) {
  Seen seen{};
  seen.database = slot.database;
  seen.state = slot.state;
  seen.pid = slot.pid;
  seen.started_at = slot.started_at;
  seen.since = slot.since;
  seen.last_step = static_cast<TimestampTz>(pg_atomic_read_u64(&slot.last_step));
  seen.done = pg_atomic_read_u64(&slot.done);
  seen.failed = pg_atomic_read_u64(&slot.failed);
  seen.bytes = pg_atomic_read_u64(&slot.bytes);
  seen.last_error_at = slot.last_error_at;
  std::memcpy(seen.last_error, slot.last_error, sizeof seen.last_error);
  return seen;
}

std::vector<Seen> look() {
  std::vector<Seen> all;
  if (monitor::shared() == nullptr) return all;
  all.reserve(static_cast<std::size_t>(monitor::shared()->slot_count));
  monitor::Locked const locked(LW_SHARED);
  for (int i = 0; i < monitor::shared()->slot_count; i++) {
    if (monitor::shared()->slots[i].state != monitor::State::free) all.push_back(look_at(monitor::shared()->slots[i]));
  }
  return all;
}

NullableDatum value(Datum datum) { return {datum, false}; }
NullableDatum count(std::uint64_t number) { return value(Int64GetDatum(static_cast<std::int64_t>(number))); }
NullableDatum time(TimestampTz when) { return {TimestampTzGetDatum(when), when == 0}; }

Datum workers(FunctionCallInfo info) {
  pg::ResultSet rows(info);
  for (const Seen& one : look()) {
    rows.add({value(ObjectIdGetDatum(one.database)),
              {Int32GetDatum(one.pid), one.pid == 0},
              pg::text_or_null(name_of(one.state)),
              time(one.started_at),
              time(one.since),
              time(one.last_step),
              count(one.done),
              count(one.failed),
              count(one.bytes),
              pg::text_or_null(one.last_error),
              time(one.last_error_at)});
  }
  return Datum{0};
}

std::string state_here() {
  if (monitor::shared() == nullptr) return "not preloaded";
  if (!pg::settings::enabled()) return "disabled";
  monitor::Locked const locked(LW_SHARED);
  const monitor::Slot* slot = monitor::shared()->find(MyDatabaseId);
  return slot != nullptr ? name_of(slot->state) : "none";
}

Datum worker_state(FunctionCallInfo /*info*/) { return pg::varlena_datum(state_here()); }

Datum wake_here(FunctionCallInfo /*info*/) { return BoolGetDatum(monitor::wake(MyDatabaseId)); }

}  // namespace

AUDIOSTORE_FUNCTION(workers, workers)
AUDIOSTORE_FUNCTION(worker_state, worker_state)
AUDIOSTORE_FUNCTION(wake, wake_here)

}  // namespace audiostore::worker
