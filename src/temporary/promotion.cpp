#include "temporary/promotion.hpp"

#include "outbox/held_back.hpp"
#include "outbox/move_end.hpp"
#include "pg/settings.hpp"
#include "pg/statement.hpp"
#include "temporary/init.hpp"

namespace audiostore::temporary {
namespace {

using outbox::Heard;
using outbox::MoveEnd;

struct Waiting {
  std::string promoted_to_store;
  std::string sidecar_key;
  std::string sidecar;                 // empty: none
  std::int64_t sidecar_operation = 0;  // 0: none
};

Waiting waiting_of(const pg::Rows& rows) {
  return {.promoted_to_store = rows.text(0, 1),
          .sidecar_key = rows.text(0, 2),
          .sidecar = rows.text(0, 3),
          .sidecar_operation = rows.null(0, 4) ? 0 : rows.bigint(0, 4)};
}

// Nobody waits for most moves.
bool awaited(std::int64_t operation) {
  static pg::Statement find("SELECT FROM audiostore.temporary_objects WHERE operation_id = $1", {INT8OID});
  return find.execute({Int64GetDatum(operation)}) > 0;
}

bool lock_without_waiting(std::int64_t operation) {
  static pg::Statement lock(
      "SELECT FROM audiostore.temporary_objects WHERE operation_id = $1 FOR NO KEY UPDATE SKIP LOCKED", {INT8OID});
  return lock.execute({Int64GetDatum(operation)}) > 0;
}

void promoted(std::int64_t operation) {
  static pg::Statement end(
      "UPDATE audiostore.temporary_objects SET state = 'promoted', ended_at = clock_timestamp(), "
      "keep_until = clock_timestamp() + make_interval(secs => $2), operation_id = NULL, last_error = NULL, sidecar = "
      "NULL "
      "WHERE operation_id = $1 RETURNING promoted_to_store, sidecar_key, NULL, sidecar_operation_id",
      {INT8OID, FLOAT8OID});
  auto const kept = static_cast<double>(pg::settings::run_history().count());
  end.execute({Int64GetDatum(operation), pg::call([&] { return Float8GetDatum(kept); })});
  if (Waiting const waiting = waiting_of(end.rows()); waiting.sidecar_operation != 0) {
    outbox::let_go(waiting.sidecar_operation);
  }
}

void failed(std::int64_t operation, std::string_view error) {
  static pg::Statement fail(
      "WITH old AS (SELECT sidecar_operation_id FROM audiostore.temporary_objects WHERE operation_id = $1) "
      "UPDATE audiostore.temporary_objects t SET state = 'failed', last_error = $2, sidecar_operation_id = NULL "
      "FROM old WHERE t.operation_id = $1 "
      "RETURNING t.promoted_to_store, t.sidecar_key, NULL, old.sidecar_operation_id",
      {INT8OID, TEXTOID});
  fail.execute({Int64GetDatum(operation), pg::text_argument(error)});
  if (Waiting const waiting = waiting_of(fail.rows()); waiting.sidecar_operation != 0) {
    outbox::drop_held_back(waiting.sidecar_operation);
  }
}

void revived(std::int64_t operation) {
  static pg::Statement revive(
      "UPDATE audiostore.temporary_objects SET state = 'promoting', last_error = NULL "
      "WHERE operation_id = $1 AND state = 'failed' "
      "RETURNING promoted_to_store, sidecar_key, jsonb_pretty(sidecar), sidecar_operation_id",
      {INT8OID});
  if (revive.execute({Int64GetDatum(operation)}) == 0) return;
  Waiting const waiting = waiting_of(revive.rows());
  if (waiting.sidecar.empty()) return;
  std::int64_t const put = queue_sidecar(waiting.promoted_to_store, waiting.sidecar_key, waiting.sidecar);
  static pg::Statement note("UPDATE audiostore.temporary_objects SET sidecar_operation_id = $2 WHERE operation_id = $1",
                            {INT8OID, INT8OID});
  note.execute({Int64GetDatum(operation), Int64GetDatum(put)});
}

void cancelled(std::int64_t operation) {
  static pg::Statement give_back(
      "WITH old AS (SELECT sidecar_operation_id FROM audiostore.temporary_objects WHERE operation_id = $1) "
      "UPDATE audiostore.temporary_objects t SET state = 'leased', promoted_to_store = NULL, promoted_to = NULL, "
      "sidecar_key = NULL, sidecar = NULL, operation_id = NULL, sidecar_operation_id = NULL, last_error = NULL, "
      "expires_at = greatest(expires_at, clock_timestamp() + interval '2 hours'), "
      "upload_until = greatest(upload_until, clock_timestamp() + interval '3 hours') "
      "FROM old WHERE t.operation_id = $1 RETURNING NULL, NULL, NULL, old.sidecar_operation_id",
      {INT8OID});
  give_back.execute({Int64GetDatum(operation)});
  if (Waiting const waiting = waiting_of(give_back.rows()); waiting.sidecar_operation != 0) {
    outbox::drop_held_back(waiting.sidecar_operation);
  }
}

Heard hear(const MoveEnd& end) {
  if (!awaited(end.id)) return Heard::yes;
  switch (end.what) {
    case MoveEnd::What::copied:
      if (!lock_without_waiting(end.id)) return Heard::not_now;
      promoted(end.id);
      break;
    case MoveEnd::What::dead:
      if (!lock_without_waiting(end.id)) return Heard::not_now;
      failed(end.id, end.error);
      break;
    case MoveEnd::What::revived: revived(end.id); break;
    case MoveEnd::What::cancelled: cancelled(end.id); break;
  }
  return Heard::yes;
}

}  // namespace

std::int64_t queue_sidecar(std::string_view store, std::string_view key, std::string_view document) {
  std::string const text = std::string(document) + "\n";
  return outbox::enqueue_held_back({.kind = outbox::Kind::put,
                                    .store = store,
                                    .key = key,
                                    .target_store = {},
                                    .target_key = {},
                                    .payload = text,
                                    .options_json = R"({"content_type": "application/json"})",
                                    .reason = "promote_object"});
}

void init() { outbox::listen_to_moves(hear); }

}  // namespace audiostore::temporary
