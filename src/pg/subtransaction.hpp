// A subtransaction for the length of a C++ scope: the only thing that may swallow a PostgreSQL error, because only
// its abort puts locks, snapshots, SPI connections and memory back in order.
#pragma once

#include <exception>
#include <optional>
#include <string>

#include "pg/guard.hpp"

namespace audiostore::pg {

// What is left of an error once its (sub)transaction is gone.
struct Failure {
  int sqlstate = 0;
  std::string message, detail, hint;
};

// Of the exception being handled; call inside catch (...).
Failure describe_failure();

class Subtransaction {
 public:
  Subtransaction() : memory_(CurrentMemoryContext), owner_(CurrentResourceOwner) {
    call([] { BeginInternalSubTransaction(nullptr); });
    MemoryContextSwitchTo(memory_);
  }
  ~Subtransaction() {
    if (ended_) return;
    RollbackAndReleaseCurrentSubTransaction();
    restore();
  }
  Subtransaction(const Subtransaction&) = delete;
  Subtransaction& operator=(const Subtransaction&) = delete;

  void commit() {
    call([] { ReleaseCurrentSubTransaction(); });
    ended_ = true;
    restore();
  }

 private:
  void restore() {
    MemoryContextSwitchTo(memory_);
    CurrentResourceOwner = owner_;
  }

  MemoryContext memory_;
  ResourceOwner owner_;
  bool ended_ = false;
};

// Runs body in a subtransaction. An error rolls it back and is returned, except for a cancel and the end of the
// session, which go on up.
template <class F>
std::optional<Failure> attempt(F&& body) {
  try {
    Subtransaction scope;
    body();
    scope.commit();
    return std::nullopt;
  } catch (const PgError& error) {
    if (error.sqlstate() == ERRCODE_QUERY_CANCELED || error.sqlstate() == ERRCODE_ADMIN_SHUTDOWN) throw;
    return describe_failure();
  } catch (...) {
    return describe_failure();
  }
}

}  // namespace audiostore::pg
