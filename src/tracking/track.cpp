// track() and untrack(): what a user may ask for, and carrying it out.
#include "foreign/catalog.hpp"
#include "pg/arguments.hpp"
#include "pg/guard.hpp"
#include "pg/identity.hpp"
#include "pg/memory_scope.hpp"
#include "tracking/equipment.hpp"
#include "tracking/outcome.hpp"
#include "tracking/registry.hpp"

namespace audiostore::tracking {
namespace {

void check_owner(Oid relation) {
  pg::call([relation] {
    char* const name = get_rel_name(relation);
    if (name == nullptr) {
      ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation with OID %u does not exist", relation));
    }
    if (!pg::owns_relation(relation, GetUserId())) {
      aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relation)), name);
    }
  });
}

[[noreturn]] void cannot_track(Oid relation, const std::string& why, const std::string& hint) {
  throw pg::SqlError(ERRCODE_WRONG_OBJECT_TYPE, "cannot track " + quote(relation_name(relation)), why, hint);
}

void check_kind(Relation table) {
  Oid const relation = RelationGetRelid(table);
  char const kind = table->rd_rel->relkind;
  if (kind == RELKIND_VIEW || kind == RELKIND_MATVIEW) {
    cannot_track(relation, "It is a view.", "Track the table that the view reads.");
  }
  if (kind == RELKIND_FOREIGN_TABLE) {
    cannot_track(relation, "It is a foreign table: changes of its rows elsewhere would go unseen.",
                 "Track the table on its own server.");
  }
  if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) {
    cannot_track(relation, "It is not a table.", "Track an ordinary or a partitioned table.");
  }
  if (table->rd_rel->relpersistence == RELPERSISTENCE_TEMP) {
    cannot_track(relation, "It is a temporary table: its rows go without a trace when the session ends.",
                 "Track a permanent table.");
  }
  if (pg::call([table] { return IsSystemRelation(table); })) {
    cannot_track(relation, "It is a system catalog.", "Track a table of your own.");
  }
}

void check_tree(Oid root, const std::vector<Oid>& tree, const std::string& key_column, const Registry& registry) {
  for (Oid const relation : tree) {
    if (relation != root) {
      char const kind = pg::call([relation] { return get_rel_relkind(relation); });
      if (kind == RELKIND_FOREIGN_TABLE) {
        cannot_track(root, "Its partition " + quote(relation_name(relation)) + " is a foreign table.",
                     "Detach that partition first.");
      }
    }
    Member const* const member = registry.find(relation);
    if (member == nullptr) continue;
    for (Tracking const& tracking : member->trackings) {
      if (tracking.column->key_column != key_column) continue;
      Oid const where = tracking.column->relation;
      std::string const name = quote(relation_name(where));
      throw pg::SqlError(
          ERRCODE_DUPLICATE_OBJECT,
          "column " + quote(key_column) + " of relation " + quote(relation_name(relation)) + " is already tracked",
          where == relation ? std::string() : "It is tracked through " + name + ".",
          "To change how it is tracked, call audiostore.untrack('" + relation_name(where) + "', '" + key_column +
              "') first.");
    }
  }
}

std::vector<Oid> lock_tree(Oid root) {
  pg::call([root] { find_all_inheritors(root, ShareRowExclusiveLock, nullptr); });
  return relation_tree(root);
}

TrackedColumn read_arguments(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  TrackedColumn column;
  column.relation = DatumGetObjectId(arguments.datum(0, "relation"));
  column.key_column = arguments.name(1, "key_column");
  column.store = arguments.name_or_empty(2);
  column.store_column = arguments.name_or_empty(3);
  column.size_column = arguments.name_or_empty(4);
  column.live_when = arguments.text(5, "live_when");
  column.checksum_column = arguments.name_or_empty(6);
  const char* const hint = "Give store the name of a store, or store_column that of a column with such names.";
  if (column.store.empty() && column.store_column.empty()) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "neither store nor store_column is given", {}, hint);
  }
  if (!column.store.empty() && !column.store_column.empty()) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "both store and store_column are given", {}, hint);
  }
  return column;
}

// Checks the columns and puts live_when into a form that means the same in every session.
void check_columns(TrackedColumn& column) {
  pg::MemoryScope const memory("audiostore track");
  Relation const table = pg::call([&] { return table_open(column.relation, NoLock); });
  check_kind(table);
  column.live_when = canonical_liveness(table, column.live_when);
  compile_column(table, column);
  if (table->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED) {
    std::string const name = relation_name(column.relation);
    pg::call([&] {
      ereport(WARNING, errmsg("tracked table \"%s\" is unlogged", name.c_str()),
              errdetail("A crash of the server empties it without a trace, and its objects stay in the store."),
              errhint("Use ALTER TABLE ... SET LOGGED."));
    });
  }
  table_close(table, NoLock);
}

Datum track(FunctionCallInfo info) {
  TrackedColumn column = read_arguments(info);
  check_owner(column.relation);
  pg::call([&] { LockRelationOid(column.relation, ShareRowExclusiveLock); });
  check_owner(column.relation);
  check_columns(column);
  if (!column.store.empty()) {
    foreign::StoreHandle const store = foreign::find_store(column.store);
    foreign::check_usage(store, GetUserId());
    foreign::claim_if_unclaimed(store);
  }
  std::vector<Oid> const tree = lock_tree(column.relation);
  // Claims of deletes hold a lock on this table that conflicts: from here on, they see the new column.
  pg::call([] { LockRelationOid(pg::own_relation("tracked_columns"), ShareRowExclusiveLock); });
  check_tree(column.relation, tree, column.key_column, *Registry::current());
  ensure_key_indexes(tree, column.key_column);
  for (Oid const relation : tree) install_triggers(relation);
  add_tracked_column(column);
  take_back_held_deletes(column.store);
  return Datum{0};
}

Datum untrack(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  Oid const relation = DatumGetObjectId(arguments.datum(0, "relation"));
  std::string const key_column(arguments.name(1, "key_column"));
  check_owner(relation);
  pg::call([relation] { LockRelationOid(relation, ShareRowExclusiveLock); });
  check_owner(relation);
  if (!remove_tracked_column(relation, key_column)) {
    Member const* const member = Registry::current()->find(relation);
    std::string hint = "See audiostore.tracked_columns.";
    if (member != nullptr) {
      for (Tracking const& tracking : member->trackings) {
        if (tracking.column->key_column == key_column) {
          hint = "It is tracked through " + quote(relation_name(tracking.column->relation)) + ": untrack that.";
        }
      }
    }
    throw pg::SqlError(
        ERRCODE_UNDEFINED_OBJECT,
        "column " + quote(key_column) + " of relation " + quote(relation_name(relation)) + " is not tracked by itself",
        {}, hint);
  }
  auto const registry = Registry::current();
  for (Oid const member : lock_tree(relation)) {
    if (registry->find(member) == nullptr) remove_triggers(member);
  }
  return Datum{0};
}

// Whoever writes audiostore.tracked_columns by hand, or restores a dump into it: all processes read it again.
Datum tracked_columns_changed(FunctionCallInfo info) {
  if (!CALLED_AS_TRIGGER(info)) {
    throw pg::SqlError(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, "function was not called by a trigger");
  }
  auto const& data = *reinterpret_cast<TriggerData*>(info->context);
  pg::call([&] { CacheInvalidateRelcache(data.tg_relation); });
  return PointerGetDatum(nullptr);
}

}  // namespace
}  // namespace audiostore::tracking

AUDIOSTORE_FUNCTION(track, audiostore::tracking::track)
AUDIOSTORE_FUNCTION(untrack, audiostore::tracking::untrack)
AUDIOSTORE_FUNCTION(tracked_columns_changed, audiostore::tracking::tracked_columns_changed)
