#include "tracking/equipment.hpp"

#include "pg/guard.hpp"
#include "pg/identity.hpp"
#include "pg/statement.hpp"

namespace audiostore::tracking {
namespace {

constexpr char kOldTable[] = "audiostore_old";
constexpr char kNewTable[] = "audiostore_new";

struct TriggerKind {
  const char* name;  // triggers fire in the order of their names: behind the application's own
  const char* function;
  int16 timing;
  int16 event;
  bool old_table;
  bool new_table;
};
constexpr TriggerKind kTriggers[] = {
    {"zz_audiostore_track_insert", "rows_inserted", TRIGGER_TYPE_AFTER, TRIGGER_TYPE_INSERT, false, true},
    {"zz_audiostore_track_update", "rows_updated", TRIGGER_TYPE_AFTER, TRIGGER_TYPE_UPDATE, true, true},
    {"zz_audiostore_track_delete", "rows_deleted", TRIGGER_TYPE_AFTER, TRIGGER_TYPE_DELETE, true, false},
    {"zz_audiostore_track_truncate", "table_truncated", TRIGGER_TYPE_BEFORE, TRIGGER_TYPE_TRUNCATE, false, false},
};

List* add_transition(List* list, bool wanted, bool is_new) {
  if (!wanted) return list;
  TriggerTransition* transition = makeNode(TriggerTransition);
  transition->name = pstrdup(is_new ? kNewTable : kOldTable);
  transition->isNew = is_new;
  transition->isTable = true;
  return lappend(list, transition);
}

// Inside pg::call.
void create_trigger(Oid relation, const TriggerKind& kind) {
  Oid const function = LookupFuncName(list_make2(makeString(pstrdup("audiostore")), makeString(pstrdup(kind.function))),
                                      0, nullptr, false);
  CreateTrigStmt* statement = makeNode(CreateTrigStmt);
  statement->trigname = pstrdup(kind.name);
  statement->relation = makeRangeVar(get_namespace_name(get_rel_namespace(relation)), get_rel_name(relation), -1);
  statement->row = false;
  statement->timing = kind.timing;
  statement->events = kind.event;
  statement->transitionRels = add_transition(add_transition(NIL, kind.old_table, false), kind.new_table, true);
  ObjectAddress const trigger = CreateTrigger(statement, nullptr, relation, InvalidOid, InvalidOid, InvalidOid,
                                              function, InvalidOid, nullptr, false, false);
  ObjectAddress extension;
  ObjectAddressSet(extension, ExtensionRelationId, get_extension_oid("audiostore", false));
  recordDependencyOn(&trigger, &extension, DEPENDENCY_AUTO_EXTENSION);
}

bool has_key_index(Oid relation, const std::string& key_column) {
  Relation const table = pg::call([relation] { return table_open(relation, AccessShareLock); });
  AttrNumber const key = pg::call([&] { return get_attnum(relation, key_column.c_str()); });
  bool const found = OidIsValid(find_key_index(table, key));
  table_close(table, NoLock);
  return found;
}

void create_index(Oid relation, const std::string& key_column) {
  OwnDdl const own;
  // The owner of the table need not be able to create relations in its schema.
  pg::AsExtensionOwner const rights;
  pg::Spi const spi;
  pg::call([&] {
    const char* table =
        quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), get_rel_name(relation));
    char* command = psprintf("CREATE INDEX ON %s (%s)", table, quote_identifier(key_column.c_str()));
    int const result = SPI_execute(command, false, 0);
    if (result < 0) elog(ERROR, "could not create an index: %s", SPI_result_code_string(result));
  });
}

}  // namespace

bool is_own_trigger_name(std::string_view name) {
  return std::any_of(std::begin(kTriggers), std::end(kTriggers),
                     [&](const TriggerKind& kind) { return name == kind.name; });
}

bool has_triggers(Oid relation) {
  return std::all_of(std::begin(kTriggers), std::end(kTriggers), [&](const TriggerKind& kind) {
    return pg::call([&] { return OidIsValid(get_trigger_oid(relation, kind.name, true)); });
  });
}

void install_triggers(Oid relation) {
  for (TriggerKind const& kind : kTriggers) {
    pg::call([&] {
      if (!OidIsValid(get_trigger_oid(relation, kind.name, true))) create_trigger(relation, kind);
    });
  }
  pg::call([] { CommandCounterIncrement(); });
}

void remove_triggers(Oid relation) {
  OwnDdl const own;
  for (TriggerKind const& kind : kTriggers) {
    pg::call([&] {
      Oid const trigger = get_trigger_oid(relation, kind.name, true);
      if (!OidIsValid(trigger)) return;
      ObjectAddress address;
      ObjectAddressSet(address, TriggerRelationId, trigger);
      performDeletion(&address, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
    });
  }
}

void ensure_key_indexes(const std::vector<Oid>& tree, const std::string& key_column) {
  // Parents come first: the index of a partitioned table makes those of its partitions.
  for (Oid const relation : tree) {
    if (!has_key_index(relation, key_column)) create_index(relation, key_column);
  }
}

}  // namespace audiostore::tracking
