// The launcher's loop: hear what changed, take note of workers that ended, compare the databases there should be
// workers for with those there are, start and stop the difference, sleep. All decisions come from supervise().
#include "worker/launcher.hpp"

#include "pg/background.hpp"
#include "pg/settings.hpp"
#include "pg/time.hpp"
#include "pg/transactions.hpp"
#include "worker/backoff.hpp"
#include "worker/candidates.hpp"

namespace audiostore::worker {
namespace {

constexpr Milliseconds kLookAgain{10'000};
constexpr Milliseconds kAfterTermination{1'000};
constexpr std::chrono::minutes kGoodRun{1};
constexpr std::chrono::minutes kStuckStart{1};
constexpr Backoff kAfterFailure{.first = Milliseconds{1'000}, .limit = Milliseconds{60'000}};
// Databases that are looked into at the same time: a database without the extension needs a process for a moment.
constexpr int kStartsAtOnce = 4;

// What the launcher remembers of a database; all of it may be forgotten.
struct Known {
  bool no_extension = false;
  int failures = 0;
  TimePoint not_before{};
};

struct Ended {
  Oid database;
  monitor::Ending ending;
  TimePoint started_at;
};

class Launcher {
 public:
  void run();

 private:
  TimePoint supervise();
  std::uint64_t hear_changes();
  void note_endings();
  void note(const Ended& ended);
  void forget_all_but(const std::vector<Candidate>& wanted);
  bool start(const Candidate& candidate, std::uint64_t releases);
  bool register_worker(const Candidate& candidate, Order order);
  void not_started(Oid database);

  SystemClock clock_;
  SystemRandom random_;
  std::map<Oid, Known> known_;
  std::map<Oid, BackgroundWorkerHandle*> handles_;
  bool shortage_logged_ = false;
  MemoryContext memory_ = nullptr;
};

void leave(int /*code*/, Datum /*argument*/) {
  monitor::Locked const locked;
  if (monitor::shared()->launcher_pid != MyProcPid) return;
  monitor::shared()->launcher_pid = 0;
  monitor::shared()->launcher = nullptr;
}

void attach() {
  {
    monitor::Locked const locked;
    monitor::shared()->launcher_pid = MyProcPid;
    monitor::shared()->launcher = MyProc;
  }
  on_shmem_exit(leave, 0);
}

bool reserved(const monitor::Shared& state, Oid database) {
  for (int i = 0; i < state.reservation_count; i++) {
    if (state.reservations[i].database == database) return true;
  }
  return false;
}

// A slot for a new start: the database's own, a free one, or one whose worker is gone anyway.
monitor::Slot* vacant_slot(monitor::Shared& state, Oid database) {
  if (monitor::Slot* own = state.find(database)) return own->state == monitor::State::waiting ? own : nullptr;
  monitor::Slot* waiting = nullptr;
  for (int i = 0; i < state.slot_count; i++) {
    if (state.slots[i].state == monitor::State::free) return &state.slots[i];
    if (state.slots[i].state == monitor::State::waiting) waiting = &state.slots[i];
  }
  return waiting;
}

void assign(monitor::Slot& slot, Order order) {
  if (slot.database != order.database) {
    slot.last_error_at = 0;
    slot.last_error[0] = '\0';
  }
  slot.database = order.database;
  slot.generation = order.generation;
  slot.state = monitor::State::starting;
  slot.pid = 0;
  slot.process = nullptr;
  slot.look_again = false;
  slot.started_at = slot.since = GetCurrentTimestamp();
  for (pg_atomic_uint64* counter : {&slot.last_step, &slot.done, &slot.failed, &slot.bytes}) {
    pg_atomic_write_u64(counter, 0);
  }
}

// Whatever waits while the catalog is read, for a lock say, swallows the latch.
bool has_news() {
  monitor::Locked const locked(LW_SHARED);
  return monitor::shared()->has_news();
}

int starting_count() {
  monitor::Locked const locked(LW_SHARED);
  int count = 0;
  for (int i = 0; i < monitor::shared()->slot_count; i++)
    count += monitor::shared()->slots[i].state == monitor::State::starting ? 1 : 0;
  return count;
}

}  // namespace

void Launcher::run() {
  pg::accept_signals();
  pg::call([] {
    BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
    SetConfigOption("application_name", "audiostore launcher", PGC_USERSET, PGC_S_OVERRIDE);
  });
  attach();
  memory_ =
      pg::call([] { return AllocSetContextCreate(TopMemoryContext, "audiostore launcher", ALLOCSET_SMALL_SIZES); });
  int failures = 0;
  while (!pg::stop_requested()) {
    try {
      pg::reload_if_asked();
      TimePoint const next = supervise();
      failures = 0;
      auto const left = std::chrono::ceil<Milliseconds>(next - clock_.now());
      pg::wait_for_latch(has_news() ? Milliseconds{0} : std::clamp(left, Milliseconds{0}, kLookAgain));
    } catch (...) {
      pg::Failure failure = pg::recover();
      if (pg::stop_requested()) break;
      failure.message = "audiostore launcher: " + failure.message;
      pg::log(pg::Level::warning, failure);
      pg::pause(kAfterFailure.pause(++failures, random_));
    }
  }
}

TimePoint Launcher::supervise() {
  std::uint64_t const releases = hear_changes();
  note_endings();
  std::vector<Candidate> wanted;
  if (pg::settings::enabled()) {
    std::string const named(pg::settings::databases());
    pg::WorkerTransactions().run([&] { wanted = candidates(named); });
  }
  forget_all_but(wanted);
  TimePoint const now = clock_.now();
  TimePoint next = now + kLookAgain;
  int room = kStartsAtOnce - starting_count();
  for (const Candidate& candidate : wanted) {
    const Known& known = known_[candidate.database];
    if (known.no_extension) continue;
    if (known.not_before > now) {
      next = std::min(next, known.not_before);
    } else if (room > 0 && start(candidate, releases)) {
      room--;
    }
  }
  return next;
}

// Returns the number of reservations given back so far, to be read before the catalog is.
std::uint64_t Launcher::hear_changes() {
  std::vector<Oid> changed;
  changed.reserve(monitor::kMaxChanged);
  bool all = false;
  std::uint64_t releases = 0;
  {
    monitor::Locked const locked;
    monitor::Shared& state = *monitor::shared();
    changed.assign(state.changed, state.changed + state.changed_count);
    all = state.all_changed;
    releases = state.releases;
    state.changed_count = 0;
    state.all_changed = false;
  }
  if (all) known_.clear();
  for (Oid const database : changed) known_.erase(database);
  return releases;
}

void Launcher::note_endings() {
  std::vector<Ended> ended;
  ended.reserve(static_cast<std::size_t>(monitor::shared()->slot_count));
  TimestampTz const stuck_before =
      GetCurrentTimestamp() - std::chrono::duration_cast<std::chrono::microseconds>(kStuckStart).count();
  {
    monitor::Locked const locked;
    for (int i = 0; i < monitor::shared()->slot_count; i++) {
      monitor::Slot& slot = monitor::shared()->slots[i];
      // A process that never came up; should it come after all, it finds another generation.
      if (slot.state == monitor::State::starting && slot.pid == 0 && slot.since < stuck_before) {
        slot.state = monitor::State::ended;
        slot.ending = monitor::Ending::failed;
      }
      if (slot.state != monitor::State::ended) continue;
      // The extension came after the worker had looked for it.
      if (slot.ending == monitor::Ending::no_extension && slot.look_again) slot.ending = monitor::Ending::replaced;
      ended.push_back({slot.database, slot.ending, pg::to_time_point(slot.started_at)});
      bool const gone = slot.ending == monitor::Ending::no_extension || slot.ending == monitor::Ending::replaced;
      slot.state = gone ? monitor::State::free : monitor::State::waiting;
    }
  }
  for (const Ended& one : ended) note(one);
  for (auto it = handles_.begin(); it != handles_.end();) {
    pid_t pid = 0;
    BackgroundWorkerHandle* const handle = it->second;
    if (pg::call([&] { return GetBackgroundWorkerPid(handle, &pid); }) != BGWH_STOPPED) {
      ++it;
      continue;
    }
    not_started(it->first);
    pfree(handle);
    it = handles_.erase(it);
  }
}

void Launcher::note(const Ended& ended) {
  Known& known = known_[ended.database];
  TimePoint const now = clock_.now();
  switch (ended.ending) {
    case monitor::Ending::no_extension: known.no_extension = true; break;
    case monitor::Ending::replaced: known.failures = 0; break;
    case monitor::Ending::asked:
      known.failures = 0;
      known.not_before = now + kAfterTermination;
      break;
    case monitor::Ending::failed:
      if (now - ended.started_at > kGoodRun) known.failures = 0;
      known.not_before = now + kAfterFailure.pause(++known.failures, random_);
      break;
  }
}

// The process of this database's worker is gone. Its slot says so already if it ever had one.
void Launcher::not_started(Oid database) {
  monitor::Locked const locked;
  monitor::Slot* slot = monitor::shared()->find(database);
  if (slot == nullptr || slot->state != monitor::State::starting || slot->pid != 0) return;
  slot->state = monitor::State::ended;
  slot->ending = monitor::Ending::failed;
  slot->since = GetCurrentTimestamp();
  SetLatch(MyLatch);
}

void Launcher::forget_all_but(const std::vector<Candidate>& wanted) {
  auto is_wanted = [&](Oid database) {
    return std::binary_search(wanted.begin(), wanted.end(), Candidate{database, {}},
                              [](const auto& a, const auto& b) { return a.database < b.database; });
  };
  std::erase_if(known_, [&](const auto& entry) { return !is_wanted(entry.first); });
  monitor::Locked const locked;
  for (int i = 0; i < monitor::shared()->slot_count; i++) {
    monitor::Slot& slot = monitor::shared()->slots[i];
    if (slot.state == monitor::State::free || is_wanted(slot.database)) continue;
    if (slot.state == monitor::State::waiting) slot.state = monitor::State::free;
    if (slot.pid != 0) kill(slot.pid, SIGTERM);
  }
}

bool Launcher::start(const Candidate& candidate, std::uint64_t releases) {
  Order order{};
  {
    monitor::Locked const locked;
    monitor::Shared& state = *monitor::shared();
    // A DROP DATABASE has come to its end since the catalog was read: its database may be gone.
    if (state.releases != releases || reserved(state, candidate.database)) return false;
    monitor::Slot* slot = vacant_slot(state, candidate.database);
    if (slot == nullptr) return false;
    order = {candidate.database, ++state.generation};
    assign(*slot, order);
  }
  if (register_worker(candidate, order)) {
    shortage_logged_ = false;
    return true;
  }
  {
    monitor::Locked const locked;
    monitor::Slot* slot = monitor::shared()->find(candidate.database);
    if (slot != nullptr && slot->generation == order.generation) slot->state = monitor::State::free;
  }
  if (!shortage_logged_ && starting_count() == 0) {
    shortage_logged_ = true;
    pg::log(pg::Level::warning,
            pg::Failure{ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                        "no background worker left for audiostore in database \"" + candidate.name + "\"",
                        {},
                        "Increase max_worker_processes, or name the databases to work on in audiostore.databases."});
  }
  return false;
}

bool Launcher::register_worker(const Candidate& candidate, Order order) {
  BackgroundWorker worker{};
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = BGW_NEVER_RESTART;
  worker.bgw_notify_pid = MyProcPid;
  monitor::set_text(worker.bgw_name, sizeof worker.bgw_name, "audiostore worker for database " + candidate.name);
  monitor::set_text(worker.bgw_type, sizeof worker.bgw_type, "audiostore worker");
  monitor::set_text(worker.bgw_library_name, sizeof worker.bgw_library_name, kLibrary);
  monitor::set_text(worker.bgw_function_name, sizeof worker.bgw_function_name, kWorkerMain);
  std::memcpy(worker.bgw_extra, &order, sizeof order);
  BackgroundWorkerHandle* handle = nullptr;
  bool const registered = pg::call([&] {
    MemoryContext outer = MemoryContextSwitchTo(memory_);
    bool const done = RegisterDynamicBackgroundWorker(&worker, &handle);
    MemoryContextSwitchTo(outer);
    return done;
  });
  if (registered) {
    BackgroundWorkerHandle*& place = handles_[candidate.database];
    if (place != nullptr) pfree(place);
    place = handle;
  }
  return registered;
}

void register_launcher() {
  BackgroundWorker worker{};
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_restart_time = 1;
  monitor::set_text(worker.bgw_name, sizeof worker.bgw_name, "audiostore launcher");
  monitor::set_text(worker.bgw_type, sizeof worker.bgw_type, "audiostore launcher");
  monitor::set_text(worker.bgw_library_name, sizeof worker.bgw_library_name, kLibrary);
  monitor::set_text(worker.bgw_function_name, sizeof worker.bgw_function_name, kLauncherMain);
  RegisterBackgroundWorker(&worker);
}

}  // namespace audiostore::worker

extern "C" {
PGDLLEXPORT void audiostore_launcher_main(Datum);
void audiostore_launcher_main(Datum /*argument*/) {
  audiostore::pg::guarded([] { audiostore::worker::Launcher().run(); });
  // Not 0, which would mean that it need not be started again.
  proc_exit(1);
}
}
