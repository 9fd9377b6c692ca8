// What a person does to single operations. All of it checks USAGE on the store, then acts as the owner of the table.
#include "foreign/catalog.hpp"
#include "monitor/alerts.hpp"
#include "outbox/dead.hpp"
#include "outbox/enqueue.hpp"
#include "outbox/move_end.hpp"
#include "outbox/queue_table.hpp"
#include "pg/arguments.hpp"
#include "pg/identity.hpp"
#include "pg/memory_scope.hpp"
#include "pg/statement.hpp"
#include "tracking/holders.hpp"

namespace audiostore::outbox {
namespace {

struct Locked {
  std::string kind, state, store, key, target_store, target;
  bool may_have_written = false;
};

// Operations of a store that was dropped can only be touched by the owner of the extension's tables.
void check_store(const std::string& store) {
  Oid const server = pg::call([&] { return get_foreign_server_oid(store.c_str(), true); });
  if (OidIsValid(server)) {
    foreign::check_usage(foreign::find_store(store), GetUserId());
  } else if (!superuser()) {
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                       "permission denied for an operation of the dropped store \"" + store + "\"");
  }
}

Locked lock_operation(std::int64_t id) {
  static pg::Statement statement(
      "SELECT kind, state, store, key, target_store, target, in_doubt OR attempts > 0 FROM audiostore.operations "
      "WHERE id = $1 FOR UPDATE",
      {INT8OID});
  if (statement.execute({Int64GetDatum(id)}) == 0) {
    throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "operation " + std::to_string(id) + " does not exist",
                       "It may be done: operations that are done are removed.",
                       "See audiostore.pending_operations and audiostore.dead_operations.");
  }
  pg::Rows const rows = statement.rows();
  return {.kind = rows.text(0, 1),
          .state = rows.text(0, 2),
          .store = rows.text(0, 3),
          .key = rows.text(0, 4),
          .target_store = rows.text(0, 5),
          .target = rows.text(0, 6),
          .may_have_written = rows.boolean(0, 7)};
}

void refuse_running(std::int64_t id, const Locked& operation) {
  if (operation.state != "running") return;
  throw pg::SqlError(
      ERRCODE_OBJECT_IN_USE, "operation " + std::to_string(id) + " is running",
      "It is a " + operation.kind + " of \"" + operation.key + "\" in store \"" + operation.store + "\".",
      "Try again when it has ended.");
}

void clear_alert_when_none_dead(const std::string& store) {
  static pg::Statement statement(
      "SELECT FROM audiostore.operations WHERE store = $1 AND state = 'dead' AND not_before = 'infinity' LIMIT 1",
      {TEXTOID});
  if (statement.execute({pg::text_argument(store)}) == 0) monitor::clear_alert("dead_operation", store);
}

void delete_unless_held(const std::string& store, const std::string& key) {
  {
    tracking::Holders holders({.store = store, .purpose = tracking::Purpose::queueing});
    if (!holders.empty() && holders.probe(key) == tracking::Holding::live) return;
  }
  std::string_view const view = key;
  enqueue_deletes(store, std::span(&view, 1), "write cancelled");
}

Datum retry_operation(FunctionCallInfo fcinfo) {
  std::int64_t const id = pg::Arguments(fcinfo).bigint(0, "operation id");
  pg::Spi const spi;
  Locked operation;
  {
    pg::AsExtensionOwner const owner;
    operation = lock_operation(id);
  }
  check_store(operation.store);
  pg::AsExtensionOwner const owner;
  refuse_running(id, operation);
  static pg::Statement statement(
      "UPDATE audiostore.operations SET state = 'pending', attempts = 0, not_before = clock_timestamp() WHERE id = $1",
      {INT8OID});
  statement.execute({Int64GetDatum(id)});
  clear_alert_when_none_dead(operation.store);
  wake_at_commit();
  if (operation.kind == "move") tell({.id = id, .what = MoveEnd::What::revived});
  PG_RETURN_BOOL(true);
}

Datum cancel_operation(FunctionCallInfo fcinfo) {
  std::int64_t const id = pg::Arguments(fcinfo).bigint(0, "operation id");
  pg::Spi const spi;
  Locked operation;
  {
    pg::AsExtensionOwner const owner;
    operation = lock_operation(id);
  }
  check_store(operation.store);
  pg::AsExtensionOwner const owner;
  refuse_running(id, operation);
  static pg::Statement statement("DELETE FROM audiostore.operations WHERE id = $1", {INT8OID});
  statement.execute({Int64GetDatum(id)});
  if (operation.may_have_written) {
    if (operation.kind == "put") delete_unless_held(operation.store, operation.key);
    if (operation.kind == "copy" || operation.kind == "move")
      delete_unless_held(operation.target_store, operation.target);
  }
  clear_alert_when_none_dead(operation.store);
  if (operation.kind == "move") tell({.id = id, .what = MoveEnd::What::cancelled});
  PG_RETURN_BOOL(true);
}

Datum undelete(FunctionCallInfo fcinfo) {
  pg::Arguments const arguments(fcinfo);
  std::string const store(foreign::find_store_or_default(arguments.name_or_empty(0)).name);
  std::string const key(arguments.text(1, "key"));
  foreign::check_usage(foreign::find_store(store), GetUserId());
  pg::MemoryScope const memory("audiostore undelete");
  QueueTable table(Use::lookup);
  switch (table.take_back_delete(store, key)) {
    case TakenBack::none: PG_RETURN_BOOL(false);
    case TakenBack::taken: PG_RETURN_BOOL(true);
    case TakenBack::running:
    case TakenBack::in_doubt: break;
  }
  throw_being_deleted(store, key);
}

}  // namespace

bool drop_dead(std::int64_t id) {
  static pg::Statement statement("DELETE FROM audiostore.operations WHERE id = $1 AND state = 'dead' RETURNING store",
                                 {INT8OID});
  if (statement.execute({Int64GetDatum(id)}) == 0) return false;
  std::string const store = statement.rows().text(0, 1);
  clear_alert_when_none_dead(store);
  return true;
}

}  // namespace audiostore::outbox

AUDIOSTORE_FUNCTION(retry_operation, audiostore::outbox::retry_operation)
AUDIOSTORE_FUNCTION(cancel_operation, audiostore::outbox::cancel_operation)
AUDIOSTORE_FUNCTION(undelete, audiostore::outbox::undelete)
