// What a background process needs and a backend has from tcop: signals, the server log, recovery from errors, waiting
// on its latch. What would surprise you: SIGTERM does not end the process here. It asks the main loop to stop, and a
// statement that is still under way a fifth of a second later is cancelled as by its user, so that a step can finish
// what it is doing, a wait for a lock ends, and every claim can be given back.
#pragma once

#include <string>

#include "pg/subtransaction.hpp"

namespace audiostore::pg {

// Installs the handlers and unblocks signals; first thing in a background process.
void accept_signals();

bool stop_requested() noexcept;

// From here on nothing is cancelled on account of SIGTERM: what runs is the orderly end.
void begin_orderly_end() noexcept;

// Reads the configuration again if SIGHUP asked for it.
bool reload_if_asked();

enum class Level { debug, log, warning };

// Never throws; an error on the way is swallowed.
void log(Level level, const Failure& what) noexcept;
inline void log(Level level, std::string message) { log(level, Failure{0, std::move(message), {}, {}}); }

// Inside catch (...): aborts every transaction that is open, lets go of what the error left behind, and says what it
// was. Afterwards the process is as good as new.
Failure recover();

// Waits until the latch is set or the time is over; ends the process when the postmaster is gone.
void wait_for_latch(std::chrono::milliseconds timeout);

// The same for code that is cleaning up after an error: returns early rather than throw.
void pause(std::chrono::milliseconds timeout);

// Ends this process when the postmaster is gone.
void end_without_postmaster();

// While one lives, a statement that takes longer is cancelled (background processes have no statement_timeout).
class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds timeout);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
};

// How pg_stat_activity shows a wait outside PostgreSQL.
class ReportWait {
 public:
  ReportWait() { pgstat_report_wait_start(PG_WAIT_EXTENSION); }
  ~ReportWait() { pgstat_report_wait_end(); }
  ReportWait(const ReportWait&) = delete;
  ReportWait& operator=(const ReportWait&) = delete;
};

}  // namespace audiostore::pg
