// CALL audiostore.run(): everything a worker does, in the caller's session, for servers without one.
#include "audit/runner.hpp"
#include "cost/accounting.hpp"
#include "lifecycle/runner.hpp"
#include "mastering/finalizer.hpp"
#include "outbox/drain.hpp"
#include "pg/arguments.hpp"
#include "pg/settings.hpp"
#include "pg/transactions.hpp"
#include "temporary/expire.hpp"
#include "watch/evaluate.hpp"
#include "worker/cache_task.hpp"
#include "worker/history.hpp"
#include "worker/runs.hpp"

namespace audiostore::worker {
namespace {

struct Part {
  std::string_view name;
  RunResult (*run)();
};

RunResult run_expiry() {
  remove_old_history();
  pg::ProcedureTransactions transactions;
  transactions.commit();
  std::int64_t const temporary = temporary::expire_all(transactions);
  return {.rows = temporary + CacheTask::run_once(transactions), .bytes = 0, .error = {}};
}

RunResult run_policies() {
  lifecycle::PolicyTotals const totals = lifecycle::run_policies_now();
  return {.rows = totals.rows, .bytes = totals.bytes, .error = {}};
}

RunResult run_audits() {
  audit::AuditTotals const totals = audit::run_audits_now();
  return {.rows = totals.findings, .bytes = totals.bytes, .error = {}};
}

RunResult run_outbox() {
  outbox::Drained const drained = outbox::drain_now();
  return {.rows = drained.operations, .bytes = drained.bytes, .error = {}};
}

RunResult run_mastering() {
  mastering::Finalized const finalized = mastering::finalize_now();
  return {.rows = finalized.jobs, .bytes = finalized.bytes, .error = {}};
}

// The samples first: they are what alerts look at.
RunResult run_accounting() {
  pg::ProcedureTransactions transactions;
  cost::Accounted const accounted = cost::account_now(transactions);
  transactions.run([] { return watch::evaluate_alerts(); });
  return {.rows = accounted.objects, .bytes = accounted.bytes, .error = accounted.error};
}

// Counting takes its time: all that is due is what the worker would do.
bool accounting_is_due() {
  pg::ProcedureTransactions transactions;
  std::chrono::seconds const interval = pg::settings::accounting_interval();
  return interval.count() > 0 && cost::Accounting(transactions).due(interval) <= SystemClock().now();
}

// In the order in which they run when none is named. Those without a function have nothing to do yet.
constexpr Part kParts[] = {
    {"expiry", run_expiry}, {"policies", run_policies},   {"outbox", run_outbox},
    {"audits", run_audits}, {"mastering", run_mastering}, {"accounting", run_accounting},
};

// One part, in the history from before it starts; an error is noted there and goes on to the caller.
void run_part(const Part& part) {
  if (part.run == nullptr) return;
  pg::ProcedureTransactions transactions;
  std::int64_t const id = transactions.run([&] { return begin_run(part.name); });
  RunResult result;
  try {
    result = part.run();
  } catch (const std::exception& error) {
    transactions.abort();
    result.error = error.what();
    transactions.run([&] { finish_run(id, result); });
    throw;
  }
  transactions.run([&] { finish_run(id, result); });
}

const Part& find_part(std::string_view name) {
  for (const Part& part : kParts) {
    if (part.name == name) return part;
  }
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "unknown task \"" + std::string(name) + "\"", {},
                     "Valid tasks are outbox, expiry, policies, audits, accounting and mastering.");
}

// As for any procedure that commits: not in a transaction block, and not below a function.
void check_may_commit(FunctionCallInfo info) {
  const Node* context = info->context;
  if (context != nullptr && IsA(context, CallContext) && !reinterpret_cast<const CallContext*>(context)->atomic) return;
  throw pg::SqlError(ERRCODE_INVALID_TRANSACTION_TERMINATION, "audiostore.run cannot run inside a transaction block",
                     "It commits as it goes, so that no transaction is open while it waits for a store.",
                     "Call it as a statement of its own, outside BEGIN and outside functions.");
}

// What a procedure that commits needs of SPI, for the length of the call.
class ProcedureConnection {
 public:
  ProcedureConnection() {
    pg::call([] { SPI_connect_ext(SPI_OPT_NONATOMIC); });
  }
  ~ProcedureConnection() {
    try {
      pg::call([] { SPI_finish(); });
    } catch (const pg::PgError&) {
      return;  // the transaction has failed, and its end disconnects
    }
  }
  ProcedureConnection(const ProcedureConnection&) = delete;
  ProcedureConnection& operator=(const ProcedureConnection&) = delete;
};

Datum run(FunctionCallInfo info) {
  check_may_commit(info);
  std::optional<std::string> const what(pg::Arguments(info).text_or_null(0));
  ProcedureConnection const connection;
  if (what) {
    run_part(find_part(*what));
    return Datum{0};
  }
  for (const Part& part : kParts) {
    if (part.run != run_accounting || accounting_is_due()) run_part(part);
  }
  pg::ProcedureTransactions().run([] { return watch::evaluate_alerts(); });
  return Datum{0};
}

}  // namespace

AUDIOSTORE_FUNCTION(run, run)

}  // namespace audiostore::worker
