// DDL on tracked tables. Two event triggers frame every command: ddl_command_start loads the library, whose hook on
// dropped objects then sees every table, column, index and trigger that goes, by whatever cascade; and
// ddl_command_end compares what is tracked before and after.
//
//   dropped: table, partition, key column  ─► (hook) its live keys are let go of, its row in tracked_columns goes
//   new below a tracked table              ─► triggers and index; its live keys are referenced
//   no longer below a tracked table        ─► a tracked table of its own
//   renamed columns                        ─► tracked_columns follows
//   anything that tracking needs is gone   ─► error: untrack first
//
// What would surprise you: a table's indexes and its TOAST table are dropped before the table itself. Keys may lie in
// TOAST, so the rows are read when the first part of that goes, the index of the TOAST table.
#include "tracking/ddl.hpp"

#include <unordered_set>

#include "foreign/catalog.hpp"
#include "pg/guard.hpp"
#include "pg/memory_scope.hpp"
#include "pg/subtransaction.hpp"
#include "tracking/equipment.hpp"
#include "tracking/outcome.hpp"
#include "tracking/registry.hpp"

namespace audiostore::tracking {
namespace {

struct Rename {
  Oid relation = InvalidOid;
  std::string from, to;
  struct Expression {
    std::string key_column;
    Node* parsed;
    std::shared_ptr<MemoryContextData> memory;
  };
  std::vector<Expression> expressions;  // those that read the column, as they were understood before
};

// The command under way.
struct Command {
  std::shared_ptr<const Registry> before;
  std::optional<Rename> rename;
  std::unordered_set<Oid> let_go;    // tables whose keys are let go of already
  std::unordered_set<Oid> affected;  // tables that lost or changed something
  // Of these, tables that lost an index, or one of our triggers. A restored dump adds both after everything else, so
  // lacking them is no error by itself.
  std::unordered_set<Oid> lost_index;
  std::unordered_set<Oid> lost_trigger;
  bool check_everything = false;  // something that live_when or a store may need is gone
  bool commits_midway = false;    // DETACH ... CONCURRENTLY
};

Command& command() {
  static Command command;
  return command;
}

void forget_command() { command() = Command{}; }

void on_transaction_end(XactEvent event, void*) {
  if (event == XACT_EVENT_ABORT || (event == XACT_EVENT_COMMIT && !command().commits_midway)) forget_command();
}

std::shared_ptr<const Registry> registry_before() { return command().before ? command().before : Registry::current(); }

bool replica() { return SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA; }

// Tables of the extension go only with the extension, and then there is no queue any more.
bool belongs_to_extension(Oid relation) {
  return pg::call([relation] {
    Oid const extension = getExtensionOfObject(RelationRelationId, relation);
    return OidIsValid(extension) && extension == get_extension_oid("audiostore", true);
  });
}

// ---- dropped objects

void let_go_once(Oid relation) {
  if (!command().let_go.insert(relation).second || replica() || belongs_to_extension(relation)) return;
  let_go_of_table(relation, "table dropped");
}

// The table that a TOAST table belongs to.
Oid owner_of_toast(Oid toast) {
  return pg::call([toast] {
    Relation const dependencies = table_open(DependRelationId, AccessShareLock);
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(RelationRelationId));
    ScanKeyInit(&keys[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(toast));
    SysScanDesc const scan = systable_beginscan(dependencies, DependDependerIndexId, true, nullptr, 2, keys);
    Oid owner = InvalidOid;
    while (HeapTuple const tuple = systable_getnext(scan)) {
      auto const* form = reinterpret_cast<Form_pg_depend>(GETSTRUCT(tuple));
      if (form->deptype == DEPENDENCY_INTERNAL && form->refclassid == RelationRelationId) owner = form->refobjid;
    }
    systable_endscan(scan);
    table_close(dependencies, AccessShareLock);
    return owner;
  });
}

bool locked_exclusively(Oid relation) {
  return pg::call([relation] {
    Relation const table = table_open(relation, AccessShareLock);
    bool const locked = CheckRelationLockedByMe(table, AccessExclusiveLock, true);
    table_close(table, AccessShareLock);
    return locked;
  });
}

// Invalid when the trigger is none of ours.
Oid relation_of_own_trigger(Oid trigger) {
  return pg::call([trigger] {
    Relation const triggers = table_open(TriggerRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(trigger));
    SysScanDesc const scan = systable_beginscan(triggers, TriggerOidIndexId, true, nullptr, 1, &key);
    HeapTuple const tuple = systable_getnext(scan);
    Oid relation = InvalidOid;
    if (HeapTupleIsValid(tuple)) {
      auto const* form = reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple));
      if (is_own_trigger_name(NameStr(form->tgname))) relation = form->tgrelid;
    }
    systable_endscan(scan);
    table_close(triggers, AccessShareLock);
    return relation;
  });
}

void relation_goes(Oid relation) {
  auto const registry = registry_before();
  switch (pg::call([relation] { return get_rel_relkind(relation); })) {
    case RELKIND_INDEX:
    case RELKIND_PARTITIONED_INDEX: {
      Oid const table = pg::call([relation] { return IndexGetRelation(relation, true); });
      if (registry->find(table) != nullptr) command().lost_index.insert(table);
      if (pg::call([table] { return get_rel_relkind(table); }) != RELKIND_TOASTVALUE) return;
      Oid const owner = owner_of_toast(table);
      // REINDEX CONCURRENTLY drops indexes, too, but does not lock others out.
      if (registry->find(owner) != nullptr && locked_exclusively(owner)) let_go_once(owner);
      return;
    }
    case RELKIND_RELATION:
    case RELKIND_PARTITIONED_TABLE: {
      if (registry->find(relation) == nullptr) return;
      let_go_once(relation);
      for (auto const& column : registry->columns()) {
        if (column->relation == relation) remove_tracked_column(relation, column->key_column);
      }
      return;
    }
    default: return;
  }
}

void column_goes(Oid relation, AttrNumber number) {
  Member const* const member = registry_before()->find(relation);
  if (member == nullptr) return;
  std::string const name = pg::call([=] { return get_attname(relation, number, false); });
  for (Tracking const& tracking : member->trackings) {
    if (tracking.column->key_column != name) continue;
    if (!replica() && !belongs_to_extension(relation)) let_go_of_column(relation, name, "column dropped");
    if (tracking.column->relation == relation) remove_tracked_column(relation, name);
  }
  command().affected.insert(relation);
}

void object_goes(Oid kind, Oid object, int part) {
  if (registry_before()->columns().empty()) return;
  pg::MemoryScope const memory("audiostore drop");
  if (kind == RelationRelationId) {
    if (part == 0)
      relation_goes(object);
    else
      column_goes(object, static_cast<AttrNumber>(part));
  } else if (kind == TriggerRelationId) {
    Oid const relation = relation_of_own_trigger(object);
    if (registry_before()->find(relation) != nullptr) command().lost_trigger.insert(relation);
  } else if (kind == ProcedureRelationId || kind == OperatorRelationId || kind == TypeRelationId ||
             kind == ForeignServerRelationId) {
    command().check_everything = true;
  }
}

void object_changes(Oid kind, Oid object) {
  if (kind == RelationRelationId && command().before->find(object) != nullptr) command().affected.insert(object);
  if (kind == ForeignServerRelationId) command().check_everything = true;
}

object_access_hook_type previous_hook = nullptr;

void on_object_access(ObjectAccessType access, Oid kind, Oid object, int part, void* details) {
  if (previous_hook != nullptr) previous_hook(access, kind, object, part, details);
  if (OwnDdl::running() || !IsTransactionState()) return;
  if (access == OAT_DROP) pg::guarded([&] { object_goes(kind, object, part); });
  if (access == OAT_POST_ALTER && command().before) pg::guarded([&] { object_changes(kind, object); });
}

// ---- before a command

void note_rename(const RenameStmt& statement) {
  if (statement.renameType != OBJECT_COLUMN || statement.relation == nullptr) return;
  Oid const relation = pg::call([&] { return RangeVarGetRelid(statement.relation, NoLock, true); });
  Member const* const member = OidIsValid(relation) ? command().before->find(relation) : nullptr;
  if (member == nullptr) return;
  Rename rename{.relation = relation, .from = statement.subname, .to = statement.newname, .expressions = {}};
  Relation const table = pg::call([relation] { return table_open(relation, AccessShareLock); });
  AttrNumber const number = pg::call([&] { return get_attnum(relation, statement.subname); });
  for (Tracking const& tracking : member->trackings) {
    if (tracking.column->relation != relation) continue;
    Liveness const& liveness = tracking.compile(table).liveness;
    if (std::find(liveness.columns.begin(), liveness.columns.end(), number) == liveness.columns.end()) continue;
    rename.expressions.push_back(
        {.key_column = tracking.column->key_column, .parsed = liveness.parsed, .memory = liveness.memory});
  }
  pg::call([table] { table_close(table, AccessShareLock); });
  command().rename = std::move(rename);
}

// ALTER COLUMN ... TYPE ... USING computes new keys, which no trigger sees.
void refuse_computed_keys(const AlterTableStmt& statement) {
  Oid const relation = pg::call([&] { return RangeVarGetRelid(statement.relation, NoLock, true); });
  Member const* const member = OidIsValid(relation) ? command().before->find(relation) : nullptr;
  if (member == nullptr) return;
  ListCell* cell = nullptr;
  foreach (cell, statement.cmds) {
    auto const* change = lfirst_node(AlterTableCmd, cell);
    if (change->subtype != AT_AlterColumnType || castNode(ColumnDef, change->def)->raw_default == nullptr) continue;
    for (Tracking const& tracking : member->trackings) {
      TrackedColumn const& column = *tracking.column;
      Relation const table = pg::call([relation] { return table_open(relation, AccessShareLock); });
      AttrNumber const number = pg::call([&] { return get_attnum(relation, change->name); });
      auto const& live_columns = tracking.compile(table).liveness.columns;
      bool const matters = column.key_column == change->name || column.store_column == change->name ||
                           std::find(live_columns.begin(), live_columns.end(), number) != live_columns.end();
      pg::call([table] { table_close(table, AccessShareLock); });
      if (!matters) continue;
      throw pg::SqlError(ERRCODE_FEATURE_NOT_SUPPORTED,
                         "cannot compute new values for column " + quote(change->name) + " of tracked relation " +
                             quote(relation_name(relation)),
                         "Tracked column " + quote(column.key_column) + " depends on it.",
                         "UPDATE the rows instead, or untrack the column and track it again.");
    }
  }
}

bool detaches_concurrently(const AlterTableStmt& statement) {
  ListCell* cell = nullptr;
  foreach (cell, statement.cmds) {
    auto const* change = lfirst_node(AlterTableCmd, cell);
    if (change->subtype == AT_DetachPartition && castNode(PartitionCmd, change->def)->concurrent) return true;
  }
  return false;
}

Datum ddl_started(FunctionCallInfo info) {
  if (!CALLED_AS_EVENT_TRIGGER(info)) {
    throw pg::SqlError(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED, "function was not called by an event trigger");
  }
  if (OwnDdl::running()) return PointerGetDatum(nullptr);
  forget_command();
  auto const registry = Registry::current();
  if (registry->columns().empty()) return PointerGetDatum(nullptr);
  command().before = registry;
  pg::MemoryScope const memory("audiostore command start");
  Node* const tree = reinterpret_cast<EventTriggerData*>(info->context)->parsetree;
  if (IsA(tree, RenameStmt)) note_rename(*castNode(RenameStmt, tree));
  if (IsA(tree, AlterTableStmt)) command().commits_midway = detaches_concurrently(*castNode(AlterTableStmt, tree));
  if (IsA(tree, AlterTableStmt)) refuse_computed_keys(*castNode(AlterTableStmt, tree));
  return PointerGetDatum(nullptr);
}

// ---- after a command

bool exists(Oid relation) {
  return pg::call([relation] { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relation)); });
}

void follow_rename(const Rename& rename, const Registry& before) {
  for (auto const& column : before.columns()) {
    if (column->relation != rename.relation) continue;
    TrackedColumn renamed = *column;
    for (std::string* name :
         {&renamed.key_column, &renamed.store_column, &renamed.size_column, &renamed.checksum_column}) {
      if (*name == rename.from) *name = rename.to;
    }
    for (auto const& expression : rename.expressions) {
      if (expression.key_column != column->key_column) continue;
      renamed.live_when = liveness_text(rename.relation, expression.parsed);
    }
    replace_tracked_column(column->key_column, renamed);
  }
}

bool is_below(Oid relation, Oid root) {
  std::vector<Oid> const tree = relation_tree(root);
  return std::find(tree.begin(), tree.end(), relation) != tree.end();
}

// Tables that were below a tracked one and are no more: detached, or NO INHERIT. The topmost of them are tables
// with a tracking of their own from now on.
void keep_detached(const Registry& before) {
  std::map<Oid, std::vector<Oid>> detached;  // by the table whose tracking they had
  std::map<Oid, std::unordered_set<Oid>> trees;
  for (auto const& [relation, member] : before.members()) {
    for (Tracking const& tracking : member.trackings) {
      Oid const root = tracking.column->relation;
      if (root == relation) continue;
      auto const [tree, unknown] = trees.try_emplace(root);
      if (unknown && exists(root)) {
        std::vector<Oid> const now = relation_tree(root);
        tree->second.insert(now.begin(), now.end());
      }
      auto& list = detached[root];
      bool const listed = !list.empty() && list.back() == relation;
      if (!listed && !tree->second.contains(relation) && exists(root) && exists(relation)) list.push_back(relation);
    }
  }
  for (auto const& [root, relations] : detached) {
    for (Oid const relation : relations) {
      bool const covered = std::any_of(relations.begin(), relations.end(), [relation = relation](Oid other) {
        return other != relation && is_below(relation, other);
      });
      if (covered) continue;
      for (auto const& column : before.columns()) {
        if (column->relation != root) continue;
        TrackedColumn own = *column;
        own.relation = relation;
        add_tracked_column(own);
      }
    }
  }
}

bool has_blocks(Oid relation) {
  return pg::call([relation] {
    Relation const table = table_open(relation, AccessShareLock);
    bool const any = table->rd_rel->relkind == RELKIND_RELATION && RelationGetNumberOfBlocks(table) > 0;
    table_close(table, NoLock);
    return any;
  });
}

// A table that was tracked by itself and is below a tracked one now: one of the two trackings has to go.
void merge_trackings(const Member& member) {
  for (Tracking const& own : member.trackings) {
    if (own.column->relation != member.relation) continue;
    for (Tracking const& inherited : member.trackings) {
      if (inherited.column->relation == member.relation || inherited.column->key_column != own.column->key_column)
        continue;
      if (inherited.column->store != own.column->store || inherited.column->store_column != own.column->store_column ||
          inherited.column->live_when != own.column->live_when) {
        throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                           "relation " + quote(relation_name(member.relation)) + " is tracked in another way than " +
                               quote(relation_name(inherited.column->relation)),
                           "Column " + quote(own.column->key_column) + " differs in its store or live_when.",
                           "Untrack one of the two first.");
      }
      remove_tracked_column(member.relation, own.column->key_column);
      break;
    }
  }
}

void equip_new_members(const Registry& before) {
  auto const now = Registry::current();
  bool rows = false;
  for (auto const& [relation, member] : now->members()) {
    Member const* const old = before.find(relation);
    if (old != nullptr && old->trackings.size() == member.trackings.size()) continue;
    if (member.kind == RELKIND_FOREIGN_TABLE) {
      throw pg::SqlError(ERRCODE_WRONG_OBJECT_TYPE,
                         "cannot add foreign table " + quote(relation_name(relation)) + " to a tracked table",
                         "Changes of its rows elsewhere would go unseen.");
    }
    if (!has_triggers(relation)) install_triggers(relation);
    rows = rows || has_blocks(relation);
    merge_trackings(member);
  }
  for (auto const& column : Registry::current()->columns()) {
    bool grown = false;
    std::vector<Oid> const tree = relation_tree(column->relation);
    for (Oid const relation : tree) grown = grown || before.find(relation) == nullptr;
    if (grown) ensure_key_indexes(tree, column->key_column);
  }
  if (rows) take_back_held_deletes({});
}

// Its key column was dropped.
void remove_needless_triggers(const Registry& before) {
  auto const now = Registry::current();
  for (auto const& [relation, member] : before.members()) {
    if (now->find(relation) == nullptr && exists(relation)) remove_triggers(relation);
  }
}

[[noreturn]] void still_needed(const TrackedColumn& column, const std::string& why) {
  std::string const table = relation_name(column.relation);
  throw pg::SqlError(
      ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
      "tracked column " + quote(column.key_column) + " of relation " + quote(table) + " does not allow this command",
      why, "Call audiostore.untrack('" + table + "', '" + column.key_column + "') first.");
}

void check_member(const Member& member) {
  std::string const name = quote(relation_name(member.relation));
  if (command().lost_trigger.contains(member.relation) && !has_triggers(member.relation)) {
    still_needed(*member.trackings.front().column, "Relation " + name + " would lose triggers that tracking needs.");
  }
  for (Tracking const& tracking : member.trackings) {
    bool findable = false;
    auto const failure = pg::attempt([&] {
      Relation const table = pg::call([&] { return table_open(member.relation, AccessShareLock); });
      findable = OidIsValid(tracking.compile(table).index);
      table_close(table, NoLock);
    });
    if (failure) still_needed(*tracking.column, "Afterwards: " + failure->message + ".");
    if (!findable && command().lost_index.contains(member.relation)) {
      still_needed(*tracking.column, "Relation " + name + " would be left without an index that finds its keys.");
    }
  }
}

void check_needs() {
  auto const now = Registry::current();
  for (auto const& [relation, member] : now->members()) {
    bool const judged_by_text = std::any_of(member.trackings.begin(), member.trackings.end(),
                                            [](const Tracking& t) { return t.column->live_when != "true"; });
    Command const& now_ended = command();
    if (now_ended.affected.contains(relation) || now_ended.lost_index.contains(relation) ||
        now_ended.lost_trigger.contains(relation) || (now_ended.check_everything && judged_by_text)) {
      check_member(member);
    }
  }
  if (!command().check_everything) return;
  for (auto const& column : now->columns()) {
    if (column->store_by_row()) continue;
    try {
      foreign::find_store(column->store);
    } catch (const pg::SqlError& error) {
      still_needed(*column, "Afterwards: " + error.message() + ".");
    }
  }
}

bool nothing_to_look_at() {
  Command const& ended = command();
  return !Registry::stale() && ended.affected.empty() && ended.lost_index.empty() && ended.lost_trigger.empty() &&
         !ended.check_everything;
}

Datum ddl_ended(FunctionCallInfo info) {
  if (!CALLED_AS_EVENT_TRIGGER(info)) {
    throw pg::SqlError(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED, "function was not called by an event trigger");
  }
  if (OwnDdl::running() || !command().before) return PointerGetDatum(nullptr);
  if (nothing_to_look_at()) {
    forget_command();
    return PointerGetDatum(nullptr);
  }
  pg::MemoryScope const memory("audiostore command end");
  auto const before = command().before;
  bool const needs_snapshot = pg::call([] { return !ActiveSnapshotSet(); });
  if (needs_snapshot) pg::call([] { PushActiveSnapshot(GetTransactionSnapshot()); });
  if (command().rename && command().affected.contains(command().rename->relation)) {
    follow_rename(*command().rename, *before);
  }
  keep_detached(*before);
  equip_new_members(*before);
  remove_needless_triggers(*before);
  if (!replica()) check_needs();
  if (needs_snapshot) pg::call([] { PopActiveSnapshot(); });
  forget_command();
  return PointerGetDatum(nullptr);
}

}  // namespace

void install_drop_hook() {
  previous_hook = object_access_hook;
  object_access_hook = on_object_access;
  RegisterXactCallback(on_transaction_end, nullptr);
}

}  // namespace audiostore::tracking

AUDIOSTORE_FUNCTION(ddl_started, audiostore::tracking::ddl_started)
AUDIOSTORE_FUNCTION(ddl_ended, audiostore::tracking::ddl_ended)
