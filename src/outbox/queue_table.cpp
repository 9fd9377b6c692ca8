// Inserting: rows go in with table_multi_insert, then their index entries in key order. The unique index on
// pending deletes is asked with UNIQUE_CHECK_PARTIAL, which never waits and never fails; the few rows that met
// another delete of the same key are settled afterwards, one by one.
#include "outbox/queue_table.hpp"

#include <array>

namespace audiostore::outbox {
namespace {

constexpr int kRowsAtOnce = 1000;

bool text_equals(Datum value, std::string_view expected) {
  const auto* text = reinterpret_cast<const struct varlena*>(DatumGetPointer(value));
  return std::string_view(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text)) == expected;
}

Datum make_text(std::string_view value) {
  return PointerGetDatum(cstring_to_text_with_len(value.data(), static_cast<int>(value.size())));
}

}  // namespace

Oid own_relation(const char* name) {
  return pg::call([&] {
    Oid const schema = get_namespace_oid("audiostore", true);
    return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
  });
}

struct QueueTable::Impl {
  Relation heap = nullptr;
  ResultRelInfo* result = nullptr;
  EState* executor = nullptr;
  ExprContext* expressions = nullptr;
  TupleTableSlot* slot = nullptr;
  TupleTableSlot** slots = nullptr;  // in the executor's memory, as is:
  TupleDesc slot_descriptor = nullptr;
  Relation delete_index = nullptr;  // two of result's, where there is one
  Relation other_index = nullptr;
  Oid sequence = InvalidOid;

  // A hit of an index: where the row is, what it says, and which other transaction is still inserting it. Plain,
  // as it is filled inside pg::call.
  struct Found {
    bool any;
    bool running;
    bool in_doubt;
    ItemPointerData tid;
    TransactionId inserting;
  };

  void open(Use use) {
    Oid const relation = own_relation("operations");
    if (!OidIsValid(relation)) {
      throw pg::SqlError(ERRCODE_UNDEFINED_TABLE, "relation \"audiostore.operations\" does not exist", {},
                         "Create the extension audiostore in this database.");
    }
    Oid const delete_index_oid = own_relation("operations_delete");
    if (use == Use::lookup && OidIsValid(delete_index_oid)) {
      pg::call([&] {
        heap = table_open(relation, RowExclusiveLock);
        delete_index = index_open(delete_index_oid, RowExclusiveLock);
        slot = table_slot_create(heap, nullptr);
      });
      return;
    }
    Oid const other_index_oid = own_relation("operations_other");
    pg::call([&] {
      heap = table_open(relation, RowExclusiveLock);
      executor = CreateExecutorState();
      expressions = GetPerTupleExprContext(executor);
      result = makeNode(ResultRelInfo);
      InitResultRelInfo(result, heap, 1, nullptr, 0);
      ExecOpenIndices(result, false);
      slot = table_slot_create(heap, nullptr);
      for (int i = 0; i < result->ri_NumIndices; i++) {
        Relation index = result->ri_IndexRelationDescs[i];
        if (RelationGetRelid(index) == delete_index_oid) delete_index = index;
        if (RelationGetRelid(index) == other_index_oid) other_index = index;
        IndexInfo* info = result->ri_IndexRelationInfo[i];
        if (info->ii_Predicate != NIL) info->ii_PredicateState = ExecPrepareQual(info->ii_Predicate, executor);
      }
    });
    if (delete_index == nullptr || other_index == nullptr) {
      throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "an index of \"audiostore.operations\" is missing", {},
                         "Restore the extension's indexes operations_delete and operations_other.");
    }
  }

  void close() {
    if (heap == nullptr) return;
    pg::call([&] {
      if (slot != nullptr) ExecDropSingleTupleTableSlot(slot);
      if (result != nullptr) {
        ExecCloseIndices(result);
        FreeExecutorState(executor);
      } else {
        index_close(delete_index, NoLock);
      }
      table_close(heap, NoLock);
    });
    heap = nullptr;
  }

  // Index entries of one tuple; false when another delete of the same key may exist.
  bool insert_index_entries(TupleTableSlot* tuple) const {
    bool alone = true;
    expressions->ecxt_scantuple = tuple;
    for (int i = 0; i < result->ri_NumIndices; i++) {
      Relation index = result->ri_IndexRelationDescs[i];
      IndexInfo* info = result->ri_IndexRelationInfo[i];
      if (!info->ii_ReadyForInserts) continue;
      if (info->ii_Predicate != NIL && !ExecQual(info->ii_PredicateState, expressions)) continue;
      Datum values[INDEX_MAX_KEYS];
      bool nulls[INDEX_MAX_KEYS];
      FormIndexDatum(info, tuple, executor, values, nulls);
      IndexUniqueCheck check = UNIQUE_CHECK_NO;
      if (index == delete_index) {
        check = UNIQUE_CHECK_PARTIAL;
      } else if (index->rd_index->indisunique && !index->rd_index->indisprimary) {
        check = UNIQUE_CHECK_YES;  // the primary key comes from the sequence, so it is unique
      }
      bool const unique = index_insert(index, values, nulls, &tuple->tts_tid, heap, check, false, info);
      if (index == delete_index && !unique) alone = false;
    }
    return alone;
  }

  // One slot for each row at once, kept between batches. Their tuple descriptor is a copy that nobody counts
  // references to: a thousand pins of one descriptor are searched one by one when they go.
  TupleTableSlot** batch_slots(std::size_t count) {
    MemoryContext outer = MemoryContextSwitchTo(executor->es_query_cxt);
    if (slots == nullptr) {
      slots = static_cast<TupleTableSlot**>(palloc0(sizeof(TupleTableSlot*) * kRowsAtOnce));
      slot_descriptor = CreateTupleDescCopy(RelationGetDescr(heap));
    }
    for (std::size_t i = 0; i < count; i++) {
      if (slots[i] == nullptr) slots[i] = MakeSingleTupleTableSlot(slot_descriptor, &TTSOpsHeapTuple);
    }
    MemoryContextSwitchTo(outer);
    return slots;
  }

  std::int64_t insert_batch(std::span<QueueRow> rows, bool deletes) {
    MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "audiostore queue", ALLOCSET_DEFAULT_SIZES);
    MemoryContext outer = MemoryContextSwitchTo(batch);
    TupleTableSlot** tuples = batch_slots(rows.size());
    for (std::size_t i = 0; i < rows.size(); i++) {
      ExecStoreHeapTuple(heap_form_tuple(slot_descriptor, rows[i].values, rows[i].nulls), tuples[i], false);
    }
    table_multi_insert(heap, tuples, static_cast<int>(rows.size()), GetCurrentCommandId(true), 0, nullptr);
    auto* clashes = static_cast<std::size_t*>(palloc(sizeof(std::size_t) * rows.size()));
    std::size_t clash_count = 0;
    for (std::size_t i = 0; i < rows.size(); i++) {
      if (!insert_index_entries(tuples[i])) clashes[clash_count++] = i;
      ResetPerTupleExprContext(executor);
    }
    auto kept = static_cast<std::int64_t>(rows.size());
    for (std::size_t i = 0; deletes && i < clash_count; i++) {
      QueueRow const& row = rows[clashes[i]];
      ItemPointerData const mine = tuples[clashes[i]]->tts_tid;
      if (!settle_conflict(row.values[column::store - 1], row.values[column::key - 1], mine)) kept--;
    }
    for (std::size_t i = 0; i < rows.size(); i++) ExecClearTuple(tuples[i]);
    MemoryContextSwitchTo(outer);
    MemoryContextDelete(batch);
    return kept;
  }

  // The next delete of this key that is not `except`, seen through SnapshotDirty. A row that the worker is changing
  // has two versions then, in any order: the old one counts, the new one only when nothing else is found.
  Found find(Datum store, Datum key, ItemPointer except) const { return find_in(delete_index, store, key, except); }

  Found find_in(Relation index, Datum store, Datum key, ItemPointer except) const {
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    ScanKeyData keys[2];
    Oid const collation = C_COLLATION_OID;
    ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, TEXTOID, collation, F_TEXTEQ, key);
    ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, TEXTOID, collation, F_TEXTEQ, store);
    Found found{};
    IndexScanDesc scan = pg::begin_index_scan(heap, index, &dirty, 2);
    index_rescan(scan, keys, 2, nullptr, 0);
    while (index_getnext_slot(scan, ForwardScanDirection, slot)) {
      if (except != nullptr && ItemPointerEquals(&slot->tts_tid, except)) continue;
      bool null = false;
      found = {.any = true,
               .running = text_equals(slot_getattr(slot, column::state, &null), "running"),
               .in_doubt = DatumGetBool(slot_getattr(slot, column::in_doubt, &null)),
               .tid = slot->tts_tid,
               .inserting = dirty.xmin};
      if (!TransactionIdIsValid(dirty.xmin)) break;
    }
    index_endscan(scan);
    ExecClearTuple(slot);
    return found;
  }

  // Waits for whoever is changing the row, and removes it only if it is still the version that was found. So a row
  // that turns out to be running is never locked by us: the worker could not settle it while our transaction lasts.
  TM_Result remove(ItemPointerData tid) const {
    CommandCounterIncrement();  // it may have been queued by this very command
    TM_FailureData failure;
    return table_tuple_delete(heap, &tid, GetCurrentCommandId(true), SnapshotAny, InvalidSnapshot, true, &failure,
                              false);
  }

  // Takes back the delete of this key that is not `except`. With wait_for_inserts, waits for a transaction that
  // is inserting one.
  TakenBack take_back(Datum store, Datum key, ItemPointer except, bool wait_for_inserts) const {
    for (;;) {
      CHECK_FOR_INTERRUPTS();
      Found const found = find(store, key, except);
      if (!found.any) return TakenBack::none;
      if (TransactionIdIsValid(found.inserting) && !TransactionIdIsCurrentTransactionId(found.inserting)) {
        // Still going on: somebody else's new delete, which will be checked when it is claimed. Ended meanwhile: it
        // may have been a change of the row whose old version we came too late to see.
        if (!wait_for_inserts && TransactionIdIsInProgress(found.inserting)) return TakenBack::none;
        ItemPointerData tid = found.tid;
        XactLockTableWait(found.inserting, heap, &tid, XLTW_InsertIndex);
        continue;
      }
      if (found.running) return TakenBack::running;
      if (found.in_doubt) return TakenBack::in_doubt;
      if (remove(found.tid) == TM_Ok) return TakenBack::taken;
    }
  }

  // The row at `mine` met another delete of its key: keep the one that says more. Returns whether mine stays.
  bool settle_conflict(Datum store, Datum key, ItemPointerData mine) const {
    switch (take_back(store, key, &mine, true)) {
      case TakenBack::none:
      case TakenBack::taken: return true;
      case TakenBack::running:
      case TakenBack::in_doubt:
        remove(mine);
        drop_unstarted_writes(store, key);
        return false;
    }
    return true;
  }

  // A delete of this key that cannot be replaced is under way, and another one was asked for: what was queued to
  // write the key in between has lost its purpose.
  void drop_unstarted_writes(Datum store, Datum key) const {
    for (;;) {
      Found const found = find_in(other_index, store, key, nullptr);
      if (!found.any || TransactionIdIsValid(found.inserting) || found.running || found.in_doubt) return;
      remove(found.tid);
    }
  }
};

QueueTable::QueueTable(Use use) : impl_(std::make_unique<Impl>()) { impl_->open(use); }

QueueTable::~QueueTable() {
  try {
    impl_->close();
  } catch (const pg::PgError&) {
    // Closing fails only in a transaction that is failing already; its abort closes everything.
    impl_->heap = nullptr;
  }
}

std::int64_t QueueTable::next_id() {
  if (!OidIsValid(impl_->sequence)) impl_->sequence = own_relation("operations_id_seq");
  return pg::call([&] { return nextval_internal(impl_->sequence, false); });
}

std::int64_t QueueTable::insert(std::span<QueueRow> rows, bool deletes) {
  std::int64_t stayed = 0;
  for (std::size_t first = 0; first < rows.size(); first += kRowsAtOnce) {
    auto const batch = rows.subspan(first, std::min<std::size_t>(kRowsAtOnce, rows.size() - first));
    stayed += pg::call([&] { return impl_->insert_batch(batch, deletes); });
  }
  return stayed;
}

TakenBack QueueTable::take_back_delete(std::string_view store, std::string_view key) {
  return pg::call([&] { return impl_->take_back(make_text(store), make_text(key), nullptr, false); });
}

std::optional<std::int64_t> QueueTable::find_delete(std::string_view store, std::string_view key) {
  std::int64_t id = 0;
  bool const any = pg::call([&] {
    Impl& table = *impl_;
    Impl::Found const found = table.find(make_text(store), make_text(key), nullptr);
    if (!found.any) return false;
    ItemPointerData tid = found.tid;
    if (!table_tuple_fetch_row_version(table.heap, &tid, SnapshotAny, table.slot)) return false;
    bool null = false;
    id = DatumGetInt64(slot_getattr(table.slot, column::id, &null));
    ExecClearTuple(table.slot);
    return true;
  });
  return any ? std::optional(id) : std::nullopt;
}

}  // namespace audiostore::outbox
