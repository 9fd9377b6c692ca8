#include "outbox/settle.hpp"

#include "outbox/enqueue.hpp"
#include "outbox/move_end.hpp"
#include "outbox/queue_claims.hpp"
#include "outbox/receipts.hpp"

namespace audiostore::outbox {
namespace {

std::uint64_t remove(const std::vector<std::int64_t>& ids) {
  static pg::Statement statement(
      "DELETE FROM audiostore.operation_rows WHERE id = ANY($1) AND state = 'running' AND claimed_by = "
      "pg_backend_pid()",
      {INT8ARRAYOID});
  return statement.execute({pg::bigint_array(ids)});
}

void give_back(const std::vector<std::int64_t>& ids) {
  static pg::Statement statement(
      "UPDATE audiostore.operation_rows SET state = 'pending', attempts = greatest(attempts - 1, 0), leased_until = "
      "NULL, "
      "claimed_by = NULL WHERE id = ANY($1) AND state = 'running' AND claimed_by = pg_backend_pid()",
      {INT8ARRAYOID});
  statement.execute({pg::bigint_array(ids)});
}

void fail(const Outcome& outcome) {
  static pg::Statement statement(
      "UPDATE audiostore.operation_rows SET state = CASE WHEN $2 IS NULL THEN 'dead' ELSE 'pending' END, "
      "not_before = coalesce($2, 'infinity'), leased_until = NULL, claimed_by = NULL, last_error = $3, "
      "in_doubt = in_doubt OR $4 WHERE id = $1 AND state = 'running' AND claimed_by = pg_backend_pid()",
      {INT8OID, TIMESTAMPTZOID, TEXTOID, BOOLOID});
  pg::Argument const retry =
      outcome.retry_at ? pg::Argument(TimestampTzGetDatum(pg::to_timestamp(*outcome.retry_at))) : pg::Argument();
  statement.execute(
      {Int64GetDatum(outcome.id), retry, pg::text_argument(outcome.error), BoolGetDatum(outcome.in_doubt)});
}

void give_back_in_doubt(const std::vector<std::int64_t>& ids) {
  static pg::Statement statement(
      "UPDATE audiostore.operation_rows SET state = 'pending', leased_until = NULL, claimed_by = NULL, in_doubt = true "
      "WHERE id = ANY($1) AND state = 'running' AND claimed_by = pg_backend_pid()",
      {INT8ARRAYOID});
  statement.execute({pg::bigint_array(ids)});
}

// Whoever waits for this move is busy with something else: it is done again, later, and written down then. The longer
// it has waited, the longer it waits.
void put_off(const Outcome& outcome) {
  static pg::Statement statement(
      "UPDATE audiostore.operation_rows SET state = 'pending', attempts = greatest(attempts - 1, 0), leased_until = "
      "NULL, "
      "claimed_by = NULL, in_doubt = true, last_error = nullif($2, ''), not_before = clock_timestamp() + "
      "  least(greatest((clock_timestamp() - enqueued_at) / 4, interval '50 ms'), interval '30 s') "
      "WHERE id = $1 AND state = 'running' AND claimed_by = pg_backend_pid()",
      {INT8OID, TEXTOID});
  statement.execute({Int64GetDatum(outcome.id), pg::text_argument(outcome.error)});
}

void settle_failed(const Outcome& outcome) {
  bool const dead_move = outcome.move && !outcome.retry_at;
  if (dead_move && tell({.id = outcome.id, .what = MoveEnd::What::dead, .error = outcome.error}) == Heard::not_now) {
    put_off(outcome);
  } else {
    fail(outcome);
  }
}

void settle_copied(const Outcome& outcome) {
  if (tell({.id = outcome.id, .what = MoveEnd::What::copied}) == Heard::not_now) {
    put_off(outcome);
    return;
  }
  // The claim-time check of the new delete decides whether the source may go.
  if (remove({outcome.id}) == 1) {
    std::string_view const key = outcome.key;
    enqueue_deletes(outcome.store, std::span(&key, 1), "object moved");
  }
}

}  // namespace

std::string described(const Error& error) {
  return error.detail().empty() ? error.message() : error.message() + ": " + error.detail();
}

void settle(const std::vector<Outcome>& outcomes) {
  std::vector<ClaimedRow> done;
  std::vector<std::int64_t> unsent;
  std::vector<std::int64_t> doubtful;
  for (Outcome const& outcome : outcomes) {
    switch (outcome.result) {
      case Outcome::Result::done:
        if (outcome.receipt) {
          if (remove({outcome.id}) == 1) write_receipt(outcome.id, outcome.etag);
        } else {
          done.push_back({.id = outcome.id, .tid = outcome.tid});
        }
        break;
      case Outcome::Result::unsent: (outcome.in_doubt ? doubtful : unsent).push_back(outcome.id); break;
      case Outcome::Result::failed: settle_failed(outcome); break;
      case Outcome::Result::copied: settle_copied(outcome); break;
    }
  }
  if (!done.empty()) {
    std::vector<std::int64_t> const elsewhere = QueueClaims().remove_claimed(done);
    if (!elsewhere.empty()) remove(elsewhere);
  }
  if (!unsent.empty()) give_back(unsent);
  if (!doubtful.empty()) give_back_in_doubt(doubtful);
}

void extend_leases(const std::vector<std::int64_t>& ids, TimePoint until) {
  static pg::Statement statement(
      "UPDATE audiostore.operation_rows SET leased_until = $2 "
      "WHERE id = ANY($1) AND state = 'running' AND claimed_by = pg_backend_pid()",
      {INT8ARRAYOID, TIMESTAMPTZOID});
  statement.execute({pg::bigint_array(ids), TimestampTzGetDatum(pg::to_timestamp(until))});
}

}  // namespace audiostore::outbox
