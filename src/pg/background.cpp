// See the header. Destructors here end things that an error may have ended before; they never throw.
#include "pg/background.hpp"

#include <csignal>
#include <ctime>

namespace audiostore::pg {
namespace {

constexpr long kCancelAfterNanoseconds = 200'000'000;

volatile sig_atomic_t stop_asked = 0;
// Sends SIGINT, a user's cancel; PostgreSQL's own timeouts cannot be started in a signal handler.
timer_t cancel_timer;
bool has_cancel_timer = false;

void set_cancel_timer(long nanoseconds) noexcept {
  itimerspec when{};
  when.it_value.tv_nsec = nanoseconds;
  when.it_interval = when.it_value;  // a statement may follow the one that was cancelled
  if (has_cancel_timer) timer_settime(cancel_timer, 0, &when, nullptr);
}

// Only the first SIGTERM cancels: a second one must not break what gives the claims back.
void on_terminate(SIGNAL_ARGS) {
  int const saved_errno = errno;
  (void)postgres_signal_arg;
  if (stop_asked == 0) {
    stop_asked = 1;
    set_cancel_timer(kCancelAfterNanoseconds);
  }
  SetLatch(MyLatch);
  errno = saved_errno;
}

template <class F>
bool quietly(F&& body) noexcept {
  try {
    call(body);
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace

void accept_signals() {
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGINT;
  has_cancel_timer = timer_create(CLOCK_MONOTONIC, &event, &cancel_timer) == 0;
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, on_terminate);
  BackgroundWorkerUnblockSignals();
}

bool stop_requested() noexcept { return stop_asked != 0; }

void begin_orderly_end() noexcept {
  set_cancel_timer(0);
  QueryCancelPending = 0;
}

bool reload_if_asked() {
  if (ConfigReloadPending == 0) return false;
  ConfigReloadPending = 0;
  call([] { ProcessConfigFile(PGC_SIGHUP); });
  return true;
}

void log(Level level, const Failure& what) noexcept {
  int const elevel = level == Level::warning ? WARNING : level == Level::log ? LOG : DEBUG1;
  quietly([&] {
    ereport(elevel, what.sqlstate != 0 ? errcode(what.sqlstate) : 0, errmsg_internal("%s", what.message.c_str()),
            what.detail.empty() ? 0 : errdetail_internal("%s", what.detail.c_str()),
            what.hint.empty() ? 0 : errhint("%s", what.hint.c_str()));
  });
}

Failure recover() {
  Failure failure = describe_failure();
  quietly([] {
    ConditionVariableCancelSleep();
    LWLockReleaseAll();
    pgstat_report_wait_end();
  });
  quietly([] { AbortOutOfAnyTransaction(); });
  // The context of a transaction went with it.
  MemoryContextSwitchTo(TopMemoryContext);
  return failure;
}

void wait_for_latch(std::chrono::milliseconds timeout) {
  call([&] {
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, static_cast<long>(timeout.count()),
                    PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
  });
  check_interrupts();
}

void pause(std::chrono::milliseconds timeout) {
  try {
    wait_for_latch(timeout);
  } catch (...) {
    (void)recover();
  }
}

void end_without_postmaster() {
  if (!PostmasterIsAlive()) proc_exit(1);
}

Deadline::Deadline(std::chrono::milliseconds timeout) {
  call([&] { enable_timeout_after(STATEMENT_TIMEOUT, static_cast<int>(timeout.count())); });
}

Deadline::~Deadline() {
  quietly([] {
    if (get_timeout_active(STATEMENT_TIMEOUT)) disable_timeout(STATEMENT_TIMEOUT, false);
  });
}

}  // namespace audiostore::pg
