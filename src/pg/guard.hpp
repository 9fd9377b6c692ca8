// The guard between PostgreSQL and C++. PostgreSQL raises errors with longjmp, which skips destructors; C++
// raises exceptions, which end every backend when they escape into C. So each side stays on its side:
//
//   PostgreSQL ─► AUDIOSTORE_FUNCTION (one line, one guard) ─► C++ body
//   C++ body ─► pg::call([&]{ ...backend functions that may ereport... }) ─► PostgreSQL
//
// An error inside call() becomes a PgError that holds the whole ErrorData; the guard raises it again, with
// SQLSTATE, DETAIL, HINT, CONTEXT and position, once the C++ frames are gone. What would surprise you: the
// callable given to call() runs under sigsetjmp, so it must not own C++ objects; capture them by reference.
// And a caught PgError must reach the guard: only Subtransaction may swallow one, after aborting.
#pragma once

#include <exception>
#include <string>
#include <type_traits>

#include "base/error.hpp"
#include "pg/pg.hpp"

namespace audiostore::pg {

// An ereport(ERROR) on its way through C++ frames. The data lives in a memory context of its own, which no scope
// that unwinds can take away, until the next error comes and no PgError is left.
class PgError : public std::exception {
 public:
  explicit PgError(ErrorData* data) noexcept : data_(data) { alive_++; }
  PgError(const PgError& other) noexcept : std::exception(other), data_(other.data_) { alive_++; }
  PgError& operator=(const PgError& other) noexcept = default;
  ~PgError() override { alive_--; }
  static bool any_alive() noexcept { return alive_ > 0; }

  const char* what() const noexcept override { return data_->message != nullptr ? data_->message : "error"; }
  int sqlstate() const noexcept { return data_->sqlerrcode; }
  ErrorData* data() const noexcept { return data_; }

 private:
  static inline int alive_ = 0;
  ErrorData* data_;
};

// An error of ours with a SQLSTATE chosen at the spot, for conditions that ErrorKind has no name for.
class SqlError : public std::exception {
 public:
  SqlError(int sqlstate, std::string message, std::string detail = {}, std::string hint = {})
      : sqlstate_(sqlstate), message_(std::move(message)), detail_(std::move(detail)), hint_(std::move(hint)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  int sqlstate() const noexcept { return sqlstate_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& detail() const noexcept { return detail_; }
  const std::string& hint() const noexcept { return hint_; }

 private:
  int sqlstate_;
  std::string message_, detail_, hint_;
};

int sqlstate_for(ErrorKind kind) noexcept;

// Throws the error that made PostgreSQL jump here, after clearing PostgreSQL's error stack.
[[noreturn]] void throw_current_error(MemoryContext caller_context);

// Runs backend code that may ereport; an error comes out as PgError.
template <class F>
auto call(F&& body) -> std::invoke_result_t<F&> {
  using R = std::invoke_result_t<F&>;
  static_assert(std::is_void_v<R> || std::is_trivially_copyable_v<R>, "only plain values cross the boundary");
  MemoryContext context = CurrentMemoryContext;
  sigjmp_buf* const outer_stack = PG_exception_stack;
  ErrorContextCallback* const outer_context = error_context_stack;
  sigjmp_buf here;
  if (sigsetjmp(here, 0) == 0) {
    PG_exception_stack = &here;
    try {
      if constexpr (std::is_void_v<R>) {
        body();
        PG_exception_stack = outer_stack;
        error_context_stack = outer_context;
        return;
      } else {
        R result = body();
        PG_exception_stack = outer_stack;
        error_context_stack = outer_context;
        return result;
      }
    } catch (...) {  // an exception of C++'s own, such as bad_alloc: `here` ends with this frame
      PG_exception_stack = outer_stack;
      error_context_stack = outer_context;
      throw;
    }
  }
  PG_exception_stack = outer_stack;
  error_context_stack = outer_context;
  throw_current_error(context);
}

// Raises cancels, terminations and timeouts that are pending, as PgError (a termination ends the process here).
inline void check_interrupts() {
  if (INTERRUPTS_PENDING_CONDITION()) call([] { CHECK_FOR_INTERRUPTS(); });
}

// What escaped from a C++ body, flattened to plain palloc'ed data, so that it can be raised after unwinding.
struct Escaped {
  ErrorData* original = nullptr;
  int sqlstate = 0;
  const char* message = nullptr;
  const char* detail = nullptr;
  const char* hint = nullptr;
};
Escaped describe_escaped() noexcept;  // call inside catch (...)
[[noreturn]] void raise(const Escaped& escaped);

// Runs a C++ body for C; whatever escapes is raised as a PostgreSQL error after the frames are gone.
template <class F>
auto guarded(F&& body) -> std::invoke_result_t<F&> {
  Escaped escaped;
  try {
    return body();
  } catch (...) {
    escaped = describe_escaped();
  }
  raise(escaped);
}

}  // namespace audiostore::pg

// Defines the SQL-callable C function audiostore_<name> with the C++ body `Datum body(FunctionCallInfo)`.
#define AUDIOSTORE_FUNCTION(name, body)                                    \
  extern "C" {                                                             \
  PG_FUNCTION_INFO_V1(audiostore_##name);                                  \
  PGDLLEXPORT Datum audiostore_##name(PG_FUNCTION_ARGS) {                  \
    return ::audiostore::pg::guarded([fcinfo] { return (body)(fcinfo); }); \
  }                                                                        \
  }
