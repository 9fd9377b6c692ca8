#include "pg/transactions.hpp"

namespace audiostore::pg {

void WorkerTransactions::begin() {
  call([] {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
  });
}

void WorkerTransactions::commit() {
  call([] { CommitTransactionCommand(); });
}

void WorkerTransactions::abort() {
  call([] {
    HOLD_INTERRUPTS();
    AbortCurrentTransaction();
    RESUME_INTERRUPTS();
  });
}

void ProcedureTransactions::commit() {
  call([] { SPI_commit(); });
}

void ProcedureTransactions::abort() {
  call([] { SPI_rollback(); });
}

}  // namespace audiostore::pg
