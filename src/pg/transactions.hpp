// Short transactions for code that runs both in a worker, which begins its own, and in CALL audiostore.run(),
// where the procedure's transaction is ended and a new one begins by itself.
#pragma once

#include "pg/guard.hpp"

namespace audiostore::pg {

class Transactions {
 public:
  virtual ~Transactions() = default;
  virtual void begin() = 0;
  virtual void commit() = 0;
  // After an error inside the transaction: the one place where a PgError may be swallowed.
  virtual void abort() = 0;

  // Runs body in a transaction of its own; an error aborts it and goes on to the caller.
  template <class F>
  auto run(F&& body) {
    begin();
    try {
      if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
        body();
        commit();
      } else {
        auto result = body();
        commit();
        return result;
      }
    } catch (...) {
      abort();
      throw;
    }
  }
};

class WorkerTransactions final : public Transactions {
 public:
  void begin() override;
  void commit() override;
  void abort() override;
};

// Needs an open non-atomic SPI connection, as a procedure called outside a transaction block has.
class ProcedureTransactions final : public Transactions {
 public:
  void begin() override {}
  void commit() override;
  void abort() override;
};

}  // namespace audiostore::pg
