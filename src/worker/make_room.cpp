// What the server's sessions do for the workers: DROP, ALTER and CREATE DATABASE need a database without connections,
// so the statement asks its worker to leave first and keeps it away until the transaction has ended; and whatever makes
// the extension come or go tells the launcher at commit. What would surprise you: nothing here knows how a statement
// ends, because the end of the transaction, good or bad, is where reservations are given back.
#include "worker/make_room.hpp"

#include "monitor/shared.hpp"

namespace audiostore::worker {
namespace {

ProcessUtility_hook_type previous_utility = nullptr;
object_access_hook_type previous_access = nullptr;
// Of this transaction.
bool reserving = false;
bool changing = false;
bool databases_changing = false;

void on_transaction_end(XactEvent event, void* /*unused*/) {
  if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE) return;
  if (std::exchange(changing, false) && event == XACT_EVENT_COMMIT) monitor::announce(MyDatabaseId);
  if (std::exchange(reserving, false)) monitor::release();
  if (std::exchange(databases_changing, false) && event == XACT_EVENT_COMMIT) {
    monitor::Locked const locked;
    monitor::wake_launcher(*monitor::shared());
  }
}

const char* option_value(List* options, const char* name) {
  ListCell* cell = nullptr;
  foreach (cell, options) {
    auto* option = static_cast<DefElem*>(lfirst(cell));
    if (std::strcmp(option->defname, name) == 0 && option->arg != nullptr) return defGetString(option);
  }
  return nullptr;
}

// The database that must be free of connections for this statement; null when none.
const char* wanted_free(Node* statement) {
  switch (nodeTag(statement)) {
    case T_DropdbStmt: return reinterpret_cast<DropdbStmt*>(statement)->dbname;
    case T_RenameStmt: {
      auto* rename = reinterpret_cast<RenameStmt*>(statement);
      return rename->renameType == OBJECT_DATABASE ? rename->subname : nullptr;
    }
    case T_AlterDatabaseStmt: {
      auto* alter = reinterpret_cast<AlterDatabaseStmt*>(statement);
      return option_value(alter->options, "tablespace") != nullptr ? alter->dbname : nullptr;
    }
    case T_CreatedbStmt: {
      const char* source = option_value(reinterpret_cast<CreatedbStmt*>(statement)->options, "template");
      return source != nullptr ? source : "template1";
    }
    default: return nullptr;
  }
}

bool is_about_databases(Node* statement) {
  switch (nodeTag(statement)) {
    case T_DropdbStmt:
    case T_CreatedbStmt:
    case T_AlterDatabaseStmt: return true;
    case T_RenameStmt: return reinterpret_cast<RenameStmt*>(statement)->renameType == OBJECT_DATABASE;
    default: return false;
  }
}

bool can_create_databases() {
  if (superuser()) return true;
  HeapTuple role = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
  if (!HeapTupleIsValid(role)) return false;
  bool const can = reinterpret_cast<const FormData_pg_authid*>(GETSTRUCT(role))->rolcreatedb;
  ReleaseSysCache(role);
  return can;
}

// The statement may yet be refused; somebody without any right to it does not disturb the worker.
bool may(Node* statement, Oid database) {
  return IsA(statement, CreatedbStmt) ? can_create_databases() : pg::owns_database(database, GetUserId());
}

// The database to make room in, 0: none.
Oid database_to_free(Node* statement) {
  return pg::call([&] {
    const char* name = wanted_free(statement);
    Oid const database = name != nullptr ? get_database_oid(name, true) : InvalidOid;
    // Only a copy can be made of the database that one is connected to.
    bool const hopeless = database == MyDatabaseId && !IsA(statement, CreatedbStmt);
    return !OidIsValid(database) || hopeless || !may(statement, database) ? InvalidOid : database;
  });
}

void before(Node* statement) {
  if (!is_about_databases(statement)) return;
  databases_changing = true;
  Oid const database = database_to_free(statement);
  if (!OidIsValid(database)) return;
  reserving = true;
  if (monitor::reserve(database)) monitor::wait_until_free(database);
}

bool is_commit_prepared(Node* statement) {
  return IsA(statement, TransactionStmt) &&
         reinterpret_cast<TransactionStmt*>(statement)->kind == TRANS_STMT_COMMIT_PREPARED;
}

// What a prepared transaction did becomes visible in another session than the one that did it: look at everything.
void after_commit_prepared() {
  if (pg::call([] { return OidIsValid(get_extension_oid("audiostore", true)); })) monitor::announce(MyDatabaseId);
}

void process_utility(PlannedStmt* planned, const char* text, bool read_only_tree, ProcessUtilityContext context,
                     ParamListInfo parameters, QueryEnvironment* environment, DestReceiver* target,
                     QueryCompletion* completion) {
  bool const commits_prepared = is_commit_prepared(planned->utilityStmt);
  pg::guarded([&] { before(planned->utilityStmt); });
  auto* next = previous_utility != nullptr ? previous_utility : standard_ProcessUtility;
  next(planned, text, read_only_tree, context, parameters, environment, target, completion);
  if (commits_prepared) pg::guarded([] { after_commit_prepared(); });
}

// Any extension: whether it is ours cannot be seen in the catalog yet, or any more, and asking again costs little.
void object_access(ObjectAccessType access, Oid catalog, Oid object, int column, void* argument) {
  if (previous_access != nullptr) previous_access(access, catalog, object, column, argument);
  if (catalog == ExtensionRelationId && (access == OAT_POST_CREATE || access == OAT_DROP)) changing = true;
}

}  // namespace

void init_make_room() {
  previous_utility = ProcessUtility_hook;
  ProcessUtility_hook = process_utility;
  previous_access = object_access_hook;
  object_access_hook = object_access;
  RegisterXactCallback(on_transaction_end, nullptr);
}

}  // namespace audiostore::worker
