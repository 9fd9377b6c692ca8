// A module for tests only: functions that fail in every way in which an entry point can fail, and a count of the C++
// objects that are alive, by which a test sees that the frames were unwound.
#include <poll.h>

#include <stdexcept>

#include "pg/arguments.hpp"
#include "pg/interrupts.hpp"
#include "pg/memory_scope.hpp"
#include "pg/subtransaction.hpp"

extern "C" {
PG_MODULE_MAGIC;
}

namespace audiostore::test {
namespace {

int alive = 0;

// Owns heap memory, as real code does, so that a leak checker sees what is skipped.
class Tracker {
 public:
  Tracker() { alive++; }
  ~Tracker() { alive--; }
  Tracker(const Tracker&) = delete;
  Tracker& operator=(const Tracker&) = delete;

 private:
  std::string text_ = std::string(100, 'x');
  std::vector<std::unique_ptr<std::string>> more_{8};
};

void raise_in_postgres() {
  ereport(ERROR, errcode(ERRCODE_CHECK_VIOLATION), errmsg("raised by PostgreSQL"), errdetail("the detail"),
          errhint("the hint"), err_generic_string(PG_DIAG_CONSTRAINT_NAME, "the constraint"));
}

// Nested boundaries, and a scope whose memory goes while the error is on its way through it.
void raise_below_scopes() {
  Tracker const outer;
  pg::MemoryScope const memory("guard test");
  Tracker const inner;
  pg::call([] { pg::call([] { raise_in_postgres(); }); });
}

void throw_inside_call() {
  Tracker const tracker;
  try {
    pg::call([] { throw std::runtime_error("thrown inside call()"); });
  } catch (const std::runtime_error&) {
    // PostgreSQL's error stack must be ours again: this jump would go nowhere otherwise.
    pg::call([] { raise_in_postgres(); });
  }
}

// What the guard is there to prevent, so that a leak checker can show that it would see it.
[[noreturn]] void leak() {
  Tracker const tracker;
  raise_in_postgres();
  pg_unreachable();
}

std::string swallow() {
  auto const failure = pg::attempt([] {
    Tracker const tracker;
    pg::call([] { raise_in_postgres(); });
  });
  return failure ? "swallowed: " + failure->message + ", " + failure->detail + ", " + failure->hint : "no failure";
}

[[noreturn]] void wait_for_ever() {
  Tracker const tracker;
  while (true) {
    pollfd descriptor{pg::wake_fd(), POLLIN, 0};
    poll(&descriptor, 1, pg::prepare_wait() ? 0 : 100);
    pg::after_wait();
  }
}

std::string fail(std::string_view how) {
  Tracker const tracker;
  if (how == "exception") throw std::runtime_error("thrown");
  if (how == "number") throw 42;
  if (how == "bad_alloc") throw std::bad_alloc();
  if (how == "error") throw Error(ErrorKind::invalid_key, "an error of ours", "the detail", "the hint");
  if (how == "sql_error") throw pg::SqlError(ERRCODE_OBJECT_IN_USE, "an SQL error", "the detail", "the hint");
  if (how == "ereport") pg::call([] { raise_in_postgres(); });
  if (how == "scopes") raise_below_scopes();
  if (how == "inside_call") throw_inside_call();
  if (how == "swallow") return swallow();
  if (how == "wait") wait_for_ever();
  if (how == "leak") leak();
  return "nothing";
}

Datum guard_fail(FunctionCallInfo info) {
  Tracker const tracker;
  return pg::varlena_datum(fail(pg::Arguments(info).text(0, "way to fail")));
}

Datum guard_alive(FunctionCallInfo /*info*/) { return Int32GetDatum(alive); }

}  // namespace
}  // namespace audiostore::test

AUDIOSTORE_FUNCTION(guard_fail, audiostore::test::guard_fail)
AUDIOSTORE_FUNCTION(guard_alive, audiostore::test::guard_alive)
