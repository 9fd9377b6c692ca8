// The callback runs in C frames of the commit: nothing may be thrown there, so its only work that can fail, moving
// not_before of a long transaction's graced deletes, goes through the guard as a whole.
#include "outbox/transaction_end.hpp"

#include "monitor/wake.hpp"
#include "outbox/enqueue.hpp"
#include "pg/identity.hpp"
#include "pg/statement.hpp"

namespace audiostore::outbox {
namespace {

// Plain data: it must survive an abort at any point.
struct Queued {
  bool wake;
  std::int64_t first_graced;
  std::int64_t last_graced;
  TimestampTz first_graced_at;
};
Queued queued{};

// Deletes with a grace period were queued more than a second ago: let the period begin now.
void restart_grace() {
  pg::Spi spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement statement(
      "UPDATE audiostore.operation_rows SET not_before = clock_timestamp() + (not_before - enqueued_at) "
      "WHERE id BETWEEN $1 AND $2 AND kind = 'delete' AND state = 'pending' AND not_before > clock_timestamp()",
      {INT8OID, INT8OID});
  statement.execute({Int64GetDatum(queued.first_graced), Int64GetDatum(queued.last_graced)});
  static pg::Statement packs(
      "UPDATE audiostore.operation_packs SET not_before = clock_timestamp() + (not_before - enqueued_at) "
      "WHERE id BETWEEN $1 AND $2 AND state = 'pending' AND attempts = 0 AND not_before > clock_timestamp()",
      {INT8OID, INT8OID});
  packs.execute({Int64GetDatum(queued.first_graced), Int64GetDatum(queued.last_graced)});
}

void on_transaction_event(XactEvent event, void* /*unused*/) {
  switch (event) {
    case XACT_EVENT_PRE_COMMIT:
    case XACT_EVENT_PRE_PREPARE:
      if (queued.first_graced != 0 && GetCurrentTimestamp() - queued.first_graced_at > Grace::kSlack) {
        pg::guarded([] { restart_grace(); });
      }
      break;
    case XACT_EVENT_COMMIT:
      if (queued.wake) monitor::wake(MyDatabaseId);
      queued = {};
      break;
    case XACT_EVENT_ABORT:
    case XACT_EVENT_PREPARE: queued = {}; break;
    default: break;
  }
}

}  // namespace

void init() { RegisterXactCallback(on_transaction_event, nullptr); }

void wake_at_commit() { queued.wake = true; }

void note_queued(std::string_view /*store*/, Grace grace, std::int64_t first_id, std::int64_t last_id) {
  queued.wake = true;
  if (grace.microseconds == 0) return;
  if (queued.first_graced == 0) {
    queued.first_graced = first_id;
    queued.first_graced_at = GetCurrentTimestamp();
  }
  queued.last_graced = last_id;
}

}  // namespace audiostore::outbox
