// What launcher, workers and backends tell each other in shared memory. One slot for each database that has a worker
// or had one that failed; a list of databases that have to stay free of workers for the length of a DROP, ALTER or
// CREATE DATABASE; and what the launcher should look at again. Everything is under one lock but the counters.
#pragma once

#include <string_view>

#include "monitor/progress.hpp"
#include "pg/guard.hpp"

namespace audiostore::monitor {

enum class State {
  free,
  starting,  // asked for; its process may not exist yet
  running,
  ended,    // its process is gone and the launcher has not looked yet
  waiting,  // ended; the launcher will start it again after a pause
};

// Why a worker ended. A worker that says nothing has failed.
enum class Ending { failed, asked, no_extension, replaced };

struct Slot {
  Oid database;
  State state;
  std::uint64_t generation;  // of this start: a process that comes late finds another number and leaves
  int pid;                   // 0: no process
  PGPROC* process;
  Ending ending;
  bool look_again;  // the extension may be gone: the worker checks before its next step
  TimestampTz started_at;
  TimestampTz since;  // when it came into this state
  // Counts wakes: whatever waits inside a step, for a lock say, swallows the latch.
  pg_atomic_uint64 wakes;
  pg_atomic_uint64 last_step;
  pg_atomic_uint64 done, failed, bytes;
  TimestampTz last_error_at;
  char last_error[256];
};

constexpr int kMaxReservations = 64;
constexpr int kMaxChanged = 64;

struct Shared {
  LWLock* lock;
  ConditionVariable left;  // a worker has ended
  int launcher_pid;
  PGPROC* launcher;
  std::uint64_t generation;     // of the last start
  pg_atomic_uint64 rows_added;  // see wake.hpp
  std::uint64_t releases;       // counts reservations given back: a list of databases read before is out of date
  int reservation_count;
  struct {
    Oid database;
    int pid;
  } reservations[kMaxReservations];
  // Databases where the extension may have come or gone since the launcher looked last.
  int changed_count;
  bool all_changed;
  Oid changed[kMaxChanged];
  int slot_count;
  Slot slots[FLEXIBLE_ARRAY_MEMBER];

  // Under the lock:
  Slot* find(Oid database);  // null when none
  bool has_news() const;     // for the launcher
};

// Memory that a feature wants beside this; `attach` gets it, all zeros when fresh. Before init_shared().
struct MoreShared {
  std::size_t size;
  const char* name;
  void (*attach)(void* memory, bool fresh);
};
void add_shared(const MoreShared& wanted);

// Registers the request for shared memory and its set-up; from _PG_init, when preloading.
void init_shared();

// Null where the library is not preloaded.
Shared* shared() noexcept;

// The lock, for a C++ scope. Nothing inside may raise an error.
class Locked {
 public:
  explicit Locked(LWLockMode mode = LW_EXCLUSIVE) { LWLockAcquire(shared()->lock, mode); }
  ~Locked() { LWLockRelease(shared()->lock); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
};

void wake_launcher(const Shared& state) noexcept;  // under the lock

// The extension came, went or changed in this database, visibly for everybody: the launcher and the worker look.
void announce(Oid database) noexcept;

// Keeps a database free of workers until release(): ends the one there is, and lets none start. False when the list
// is full. wait_until_free() returns early when the worker does not go within five seconds; it can be cancelled.
bool reserve(Oid database);
void wait_until_free(Oid database);
// Gives back every reservation of this process.
void release() noexcept;

// The slot of this process, if it is a database worker's: what progress.hpp counts goes there.
void set_own_slot(Slot* own) noexcept;

void set_text(char* target, std::size_t size, std::string_view text) noexcept;

}  // namespace audiostore::monitor
