// Which columns our own indexes have is known here, so that their entries need no expression machinery. An index
// that is not exactly one of ours (added by somebody, or half-way through REINDEX CONCURRENTLY) gets it.
#include "outbox/queue_relations.hpp"

#include "outbox/queue_row.hpp"
#include "pg/identity.hpp"

namespace audiostore::outbox {
namespace {

struct OwnIndex {
  const char* name;
  int columns;
  AttrNumber column[3];
};
// In the order of QueueRelations::Role.
constexpr OwnIndex kOwnIndexes[] = {
    {"operations_pkey", 1, {column::id, 0, 0}},
    {"operations_due", 3, {column::store, column::not_before, column::id}},
    {"operations_delete", 2, {column::key, column::store, 0}},
    {"operations_other", 2, {column::key, column::store, 0}},
    {"operations_target", 2, {column::target, column::target_store, 0}},
};

bool is_delete(const QueueRow& row) {
  const auto* kind = reinterpret_cast<const struct varlena*>(DatumGetPointer(row.values[column::kind - 1]));
  return VARSIZE_ANY_EXHDR(kind) == 6 && std::memcmp(VARDATA_ANY(kind), "delete", 6) == 0;
}

}  // namespace

Oid operation_rows() {
  Oid const relation = pg::own_relation("operation_rows");
  if (OidIsValid(relation)) return relation;
  throw pg::SqlError(ERRCODE_UNDEFINED_TABLE, "relation \"audiostore.operation_rows\" does not exist", {},
                     "Create the extension audiostore in this database.");
}

void throw_index_missing() {
  throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "an index of \"audiostore.operation_rows\" is missing", {},
                     "Restore the extension's indexes operations_due, operations_delete and operations_other.");
}

QueueRelations::Role QueueRelations::role_of(Relation index) {
  Form_pg_index const form = index->rd_index;
  for (std::size_t i = 0; i < std::size(kOwnIndexes); i++) {
    OwnIndex const& own = kOwnIndexes[i];
    if (std::strcmp(RelationGetRelationName(index), own.name) == 0 && form->indnatts == own.columns &&
        std::memcmp(form->indkey.values, own.column, sizeof(AttrNumber) * static_cast<std::size_t>(own.columns)) == 0) {
      return static_cast<Role>(i);
    }
  }
  return Role::foreign;
}

void QueueRelations::open_for_lookup(Oid relation, Oid delete_index) {
  heap = table_open(relation, RowExclusiveLock);
  deletes = index_open(delete_index, RowExclusiveLock);
}

namespace {

// The indexes without entries of deletes, as seen by an earlier statement of this session.
struct {
  Oid other = InvalidOid;
  Oid target = InvalidOid;
  std::uint64_t generation = 0;

  void refresh() {
    if (generation == pg::own_relations_generation()) return;
    *this = {.generation = pg::own_relations_generation()};
  }
  bool complete() const { return OidIsValid(other) && OidIsValid(target); }
  // Asking for them by name makes sure that their changes are noticed.
  void learn(Oid found_other, Oid found_target) {
    other = found_other == pg::own_relation("operations_other") ? found_other : InvalidOid;
    target = found_target == pg::own_relation("operations_target") ? found_target : InvalidOid;
    generation = pg::own_relations_generation();
  }
} without_deletes;

}  // namespace

bool QueueRelations::open(Oid relation, bool only_deletes) {
  memory_ = CurrentMemoryContext;
  heap = table_open(relation, RowExclusiveLock);
  without_deletes.refresh();
  bool const pass_over = only_deletes && without_deletes.complete();
  Oid target = InvalidOid;
  List* const oids = RelationGetIndexList(heap);
  indexes_ = static_cast<Index*>(palloc(sizeof(Index) * static_cast<std::size_t>(list_length(oids) + 1)));
  ListCell* cell = nullptr;
  foreach (cell, oids) {
    Oid const oid = lfirst_oid(cell);
    if (pass_over && (oid == without_deletes.other || oid == without_deletes.target)) continue;
    Relation const index = index_open(oid, RowExclusiveLock);
    Role const role = role_of(index);
    indexes_[count_++] = {
        .relation = index, .role = role, .info = role == Role::foreign ? BuildIndexInfo(index) : nullptr};
    if (role == Role::due) due = index;
    if (role == Role::deletes) deletes = index;
    if (role == Role::other) other = index;
    if (role == Role::target) target = oid;
  }
  if (!pass_over && other != nullptr) without_deletes.learn(RelationGetRelid(other), target);
  return deletes != nullptr && due != nullptr && (other != nullptr || pass_over);
}

Relation QueueRelations::open_other() {
  if (other == nullptr) opened_other_ = other = index_open(without_deletes.other, RowExclusiveLock);
  return other;
}

void QueueRelations::close() {
  if (opened_other_ != nullptr) index_close(opened_other_, NoLock);
  if (indexes_ == nullptr) {
    if (deletes != nullptr) index_close(deletes, NoLock);
  } else {
    for (Index const* index = indexes_; index != indexes_ + count_; index++) {
      if (index->info != nullptr) pg::finish_index_inserts(index->relation, index->info);
      index_close(index->relation, NoLock);
    }
  }
  if (executor_ != nullptr) FreeExecutorState(executor_);
  if (heap != nullptr) table_close(heap, NoLock);
  *this = {};
}

// The predicates of our partial indexes.
bool QueueRelations::has_entry(Role role, const QueueRow& row) {
  switch (role) {
    case Role::deletes: return is_delete(row);
    case Role::other: return !is_delete(row);
    case Role::target: return !row.nulls[column::target_store - 1];
    case Role::id:
    case Role::due:
    case Role::foreign: break;
  }
  return true;
}

void QueueRelations::insert_entries(TupleTableSlot** tuples, const QueueRow* rows, std::size_t count,
                                    const OnClash* on_clash) {
  static IndexInfo unread{};  // a btree does not look at it
  for (int i = 0; i < count_; i++) {
    Index const& index = indexes_[i];
    if (!index.relation->rd_index->indisready) continue;
    if (index.role == Role::foreign) {
      for (std::size_t r = 0; r < count; r++) insert_foreign_entry(index, tuples[r]);
      continue;
    }
    OwnIndex const& own = kOwnIndexes[static_cast<std::size_t>(index.role)];
    // Ids come from the sequence, so they are unique.
    bool const ask = index.role == Role::deletes && on_clash != nullptr;
    IndexUniqueCheck const how = ask ? UNIQUE_CHECK_PARTIAL : UNIQUE_CHECK_NO;
    for (std::size_t r = 0; r < count; r++) {
      if (!has_entry(index.role, rows[r])) continue;
      Datum keys[3];
      bool nulls[3] = {};
      for (int k = 0; k < own.columns; k++) {
        keys[k] = rows[r].values[own.column[k] - 1];
        nulls[k] = rows[r].nulls[own.column[k] - 1];
      }
      bool const unique = index_insert(index.relation, keys, nulls, &tuples[r]->tts_tid, heap, how, false, &unread);
      if (ask && !unique) on_clash->call(on_clash->context, r);
    }
  }
}

void QueueRelations::insert_foreign_entry(const Index& index, TupleTableSlot* tuple) {
  if (executor_ == nullptr) {
    // Callers clear the current context row by row.
    MemoryContext const outer = MemoryContextSwitchTo(memory_);
    executor_ = CreateExecutorState();
    MemoryContextSwitchTo(outer);
  }
  ExprContext* const context = GetPerTupleExprContext(executor_);
  context->ecxt_scantuple = tuple;
  IndexInfo* const info = index.info;
  if (info->ii_Predicate != NIL && info->ii_PredicateState == nullptr) {
    info->ii_PredicateState = ExecPrepareQual(info->ii_Predicate, executor_);
  }
  if (info->ii_Predicate == NIL || ExecQual(info->ii_PredicateState, context)) {
    Datum keys[INDEX_MAX_KEYS];
    bool key_nulls[INDEX_MAX_KEYS];
    FormIndexDatum(info, tuple, executor_, keys, key_nulls);
    bool const unique = index.relation->rd_index->indisunique;
    index_insert(index.relation, keys, key_nulls, &tuple->tts_tid, heap, unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO,
                 false, info);
  }
  ResetPerTupleExprContext(executor_);
}

}  // namespace audiostore::outbox
