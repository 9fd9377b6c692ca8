// The only place that includes PostgreSQL's headers; first include of every file above the boundary. It
// repairs what the headers do to C++ (macros named like standard functions) and holds every version #if.
#pragma once

// Standard headers first: postgres.h turns snprintf, printf and others into macros.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wregister"
// Before version 16 PostgreSQL leaves it empty, and our symbols are hidden unless they say otherwise.
#ifndef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
#endif
extern "C" {
// clang-format off
#include "postgres.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/reloptions.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/relation.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_am.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_database.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "catalog/pg_user_mapping.h"
#include "catalog/storage_xlog.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "commands/sequence.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "libpq/pqsignal.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_func.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "parser/parsetree.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/bufmgr.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/lwlock.h"
#include "storage/pmsignal.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/pg_locale.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/rls.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"
#include "utils/varlena.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
#if PG_VERSION_NUM >= 180000
#include "commands/explain_state.h"
#include "commands/explain_format.h"
#endif
#include "commands/explain.h"
// clang-format on
}
#pragma GCC diagnostic pop

#undef snprintf
#undef vsnprintf
#undef sprintf
#undef vsprintf
#undef printf
#undef vprintf
#undef fprintf
#undef vfprintf
#undef strerror
#undef strerror_r
#undef gettext
#undef dgettext
#undef ngettext
#undef dngettext
#undef Min
#undef Max
#undef Abs

// Version differences, each behind one name of ours.
namespace audiostore::pg {

inline IndexScanDesc begin_index_scan(Relation heap, Relation index, Snapshot snapshot, int key_count) {
#if PG_VERSION_NUM >= 180000
  return index_beginscan(heap, index, snapshot, nullptr, key_count, 0);
#else
  return index_beginscan(heap, index, snapshot, key_count, 0);
#endif
}

// A btree scan whose only condition is "from this key on" has reached it: what comes next need not be compared with it
// again, entry by entry. (Since 17 PostgreSQL sees that itself.)
inline void take_the_rest([[maybe_unused]] IndexScanDesc scan) {
#if PG_VERSION_NUM < 170000
  static_cast<BTScanOpaque>(scan->opaque)->numberOfKeys = 0;
#endif
}

inline bool walk_expression(Node* node, bool (*walker)(Node*, void*), void* context) {
#if PG_VERSION_NUM >= 160000
  return expression_tree_walker(node, walker, context);
#else
  return expression_tree_walker(node, reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(walker)), context);
#endif
}

inline bool owns_relation(Oid relation, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_ownercheck(RelationRelationId, relation, role);
#else
  return pg_class_ownercheck(relation, role);
#endif
}

inline bool owns_database(Oid database, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_ownercheck(DatabaseRelationId, database, role);
#else
  return pg_database_ownercheck(database, role);
#endif
}

// PostgreSQL 14 takes requests for shared memory straight from _PG_init, later versions through a hook.
inline void when_shared_memory_is_sized(void (*request)()) {
#if PG_VERSION_NUM >= 150000
  static void (*ours)() = nullptr;
  static shmem_request_hook_type previous = nullptr;
  ours = request;
  previous = shmem_request_hook;
  shmem_request_hook = [] {
    if (previous != nullptr) previous();
    ours();
  };
#else
  request();
#endif
}

// Makes unknown settings of this prefix an error.
inline void reserve_setting_prefix(const char* prefix) {
#if PG_VERSION_NUM >= 150000
  MarkGUCPrefixReserved(prefix);
#else
  EmitWarningsOnPlaceholders(prefix);
#endif
}

inline bool has_foreign_server_usage(Oid server, Oid role) {
#if PG_VERSION_NUM >= 160000
  return object_aclcheck(ForeignServerRelationId, server, role, ACL_USAGE) == ACLCHECK_OK;
#else
  return pg_foreign_server_aclcheck(server, role, ACL_USAGE) == ACLCHECK_OK;
#endif
}

// The role whose rights a scan of a table is checked with: that of the view it is seen through, else the caller's.
inline Oid scan_user(EState* executor, const ForeignScan* scan) {
#if PG_VERSION_NUM >= 160000
  (void)executor;
  return OidIsValid(scan->checkAsUser) ? scan->checkAsUser : GetUserId();
#else
  Oid const user = exec_rt_fetch(scan->scan.scanrelid, executor)->checkAsUser;
  return OidIsValid(user) ? user : GetUserId();
#endif
}

inline List* expression_pathkey(PlannerInfo* root, Expr* expression, Oid less_operator, Relids relations) {
#if PG_VERSION_NUM >= 160000
  return build_expression_pathkey(root, expression, less_operator, relations, false);
#else
  return build_expression_pathkey(root, expression, nullptr, less_operator, relations, false);
#endif
}

struct ForeignPathCost {
  double rows;
  Cost startup;
  Cost total;
};

inline ForeignPath* make_foreign_path(PlannerInfo* root, RelOptInfo* relation, const ForeignPathCost& cost,
                                      List* pathkeys, List* private_data) {
#if PG_VERSION_NUM >= 180000
  return create_foreignscan_path(root, relation, nullptr, cost.rows, 0, cost.startup, cost.total, pathkeys,
                                 relation->lateral_relids, nullptr, NIL, private_data);
#elif PG_VERSION_NUM >= 170000
  return create_foreignscan_path(root, relation, nullptr, cost.rows, cost.startup, cost.total, pathkeys,
                                 relation->lateral_relids, nullptr, NIL, private_data);
#else
  return create_foreignscan_path(root, relation, nullptr, cost.rows, cost.startup, cost.total, pathkeys,
                                 relation->lateral_relids, nullptr, private_data);
#endif
}

// True where the collation orders text by its bytes.
inline bool is_c_collation(Oid collation) {
  if (!OidIsValid(collation)) return false;
#if PG_VERSION_NUM >= 180000
  return pg_newlocale_from_collation(collation)->collate_is_c;
#else
  return lc_collate_is_c(collation);
#endif
}

// Names this backend's current transaction, also before it has a transaction id.
inline LocalTransactionId local_transaction() {
#if PG_VERSION_NUM >= 170000
  return MyProc->vxid.lxid;
#else
  return MyProc->lxid;
#endif
}

// Updates the version of a row at `tid` unless somebody else has it locked or has changed it; waits for nobody.
// Says whether the new version, in `slot`, needs index entries.
inline TM_Result update_unlocked(Relation table, ItemPointer tid, TupleTableSlot* slot, bool& needs_entries) {
  TM_FailureData failure;
  LockTupleMode mode = LockTupleExclusive;
  CommandId const command = GetCurrentCommandId(true);
#if PG_VERSION_NUM >= 160000
  TU_UpdateIndexes update = TU_None;
  TM_Result const result =
      table_tuple_update(table, tid, slot, command, InvalidSnapshot, InvalidSnapshot, false, &failure, &mode, &update);
  needs_entries = update != TU_None;
#else
  TM_Result const result = table_tuple_update(table, tid, slot, command, InvalidSnapshot, InvalidSnapshot, false,
                                              &failure, &mode, &needs_entries);
#endif
  return result;
}

inline Oid primary_key_index(Relation table) {
#if PG_VERSION_NUM >= 180000
  return RelationGetPrimaryKeyIndex(table, false);
#else
  return RelationGetPrimaryKeyIndex(table);
#endif
}

// Which file a log record of a sequence is about.
inline void set_file(xl_seq_rec& record, Relation sequence) {
#if PG_VERSION_NUM >= 160000
  record.locator = sequence->rd_locator;
#else
  record.node = sequence->rd_node;
#endif
}

// Gives a relation that is locked alone a new, empty file; the old one goes when the transaction commits.
inline void set_new_file(Relation relation) {
#if PG_VERSION_NUM >= 160000
  RelationSetNewRelfilenumber(relation, relation->rd_rel->relpersistence);
#else
  RelationSetNewRelfilenode(relation, relation->rd_rel->relpersistence);
#endif
}

inline void log_file_creation(Relation relation, ForkNumber fork) {
#if PG_VERSION_NUM >= 160000
  log_smgrcreate(&relation->rd_locator, fork);
#else
  log_smgrcreate(&relation->rd_node, fork);
#endif
}

// Builds the indexes of a table anew, not those of its TOAST table.
inline void rebuild_indexes(Oid table) {
  ReindexParams parameters = {};
#if PG_VERSION_NUM >= 170000
  reindex_relation(nullptr, table, 0, &parameters);
#else
  reindex_relation(table, 0, &parameters);
#endif
}

// Ends the inserts into an index that were made with this IndexInfo.
inline void finish_index_inserts(Relation index, IndexInfo* info) {
#if PG_VERSION_NUM >= 170000
  index_insert_cleanup(index, info);
#else
  (void)index;
  (void)info;
#endif
}

// Index entries of a tuple that was just inserted; the list names the indexes whose uniqueness is to be checked later.
inline List* insert_index_entries(ResultRelInfo* table, TupleTableSlot* slot, EState* executor) {
#if PG_VERSION_NUM >= 160000
  return ExecInsertIndexTuples(table, slot, executor, false, false, nullptr, NIL, false);
#else
  return ExecInsertIndexTuples(table, slot, executor, false, false, nullptr, NIL);
#endif
}

}  // namespace audiostore::pg
