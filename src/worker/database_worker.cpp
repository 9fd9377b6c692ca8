// A worker first enters itself in its slot, so that whoever wants its database for himself can find it, then connects,
// then looks whether there is anything to do. What would surprise you: the slot is cleared after the process has left
// PostgreSQL's list of processes (callbacks run in reverse order), so an empty slot means a database free of it.
#include "worker/database_worker.hpp"

#include "foreign/stores.hpp"
#include "pg/background.hpp"
#include "worker/launcher.hpp"
#include "worker/loop.hpp"

namespace audiostore::worker {
namespace {

monitor::Slot* slot = nullptr;
monitor::Ending ending = monitor::Ending::failed;

bool is_reserved(const monitor::Shared& state, Oid database) {
  return std::any_of(state.reservations, state.reservations + state.reservation_count,
                     [&](const auto& reservation) { return reservation.database == database; });
}

void leave(int /*code*/, Datum /*argument*/) {
  monitor::Shared& state = *monitor::shared();
  {
    monitor::Locked const locked;
    // Whoever asked for the database lets go of it soon: nothing to wait for.
    if (ending == monitor::Ending::asked && is_reserved(state, slot->database)) ending = monitor::Ending::replaced;
    slot->pid = 0;
    slot->process = nullptr;
    slot->state = monitor::State::ended;
    slot->ending = ending;
    slot->since = GetCurrentTimestamp();
    slot = nullptr;
    monitor::set_own_slot(nullptr);
    monitor::wake_launcher(state);
  }
  ConditionVariableBroadcast(&state.left);
}

// False when nobody waits for this process any more, or the database has to stay free.
bool enter(Order order) {
  {
    monitor::Locked const locked;
    monitor::Slot* mine = monitor::shared()->find(order.database);
    if (mine == nullptr || mine->generation != order.generation || mine->state != monitor::State::starting)
      return false;
    slot = mine;
    monitor::set_own_slot(mine);
    slot->pid = MyProcPid;
    slot->process = MyProc;
    if (is_reserved(*monitor::shared(), order.database)) ending = monitor::Ending::replaced;
  }
  on_shmem_exit(leave, 0);
  return ending == monitor::Ending::failed;
}

// Passes over settings that this version of PostgreSQL does not have.
void set(const char* name, const char* value) {
  pg::call([&] {
    if (GetConfigOption(name, true, false) != nullptr) SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
  });
}

// As the bootstrap superuser, whatever ALTER DATABASE or ALTER ROLE say.
void connect(Oid database) {
  pg::call([&] { BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0); });
  set("application_name", "audiostore worker");
  set("search_path", "pg_catalog, pg_temp");
  set("session_replication_role", "origin");
  set("default_transaction_isolation", "read committed");
  set("default_transaction_read_only", "off");
  set("lock_timeout", "0");
  // What a crash loses of our work is only done again. Claims wait for the disk nonetheless, see outbox/claim.cpp.
  set("synchronous_commit", "off");
  set("row_security", "off");
  set("transaction_timeout", "0");
}

void running() {
  monitor::Locked const locked;
  slot->state = monitor::State::running;
  slot->since = GetCurrentTimestamp();
  monitor::wake_launcher(*monitor::shared());
}

void work(Order order) {
  pg::accept_signals();
  if (!enter(order)) return;
  connect(order.database);
  (void)take_look_again();
  Oid const extension = extension_here();
  if (!OidIsValid(extension)) {
    ending = monitor::Ending::no_extension;
    return;
  }
  running();
  http::Client& client = foreign::client();
  ending = Loop(client, make_tasks(client), extension).run();
}

void serve(Order order) {
  try {
    work(order);
  } catch (const std::exception& error) {
    if (!pg::stop_requested()) {
      monitor::note_error(error.what());
      throw;
    }
    ending = monitor::Ending::asked;  // while it connected; nothing had been claimed
  }
}

}  // namespace

bool take_look_again() {
  monitor::Locked const locked;
  return std::exchange(slot->look_again, false);
}

std::uint64_t wakes() noexcept { return pg_atomic_read_u64(&slot->wakes); }

void note_step() noexcept { pg_atomic_write_u64(&slot->last_step, static_cast<uint64>(GetCurrentTimestamp())); }

void report_idle() {
  pg::call([] {
    pgstat_report_activity(STATE_IDLE, nullptr);
    pgstat_report_stat(false);
  });
}

}  // namespace audiostore::worker

extern "C" {
PGDLLEXPORT void audiostore_worker_main(Datum);
void audiostore_worker_main(Datum /*argument*/) {
  using namespace audiostore;
  worker::Order order{};
  std::memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof order);
  pg::guarded([&] { worker::serve(order); });
  proc_exit(0);
}
}
