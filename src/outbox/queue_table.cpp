// Inserting: rows go in with table_multi_insert, then their index entries in key order. The unique index on
// pending deletes is asked with UNIQUE_CHECK_PARTIAL, which never waits and never fails; the few rows that meet
// another delete of the same key are settled at once, one by one.
#include "outbox/queue_table.hpp"

#include "outbox/pending_summary.hpp"
#include "outbox/queue_relations.hpp"
#include "pg/identity.hpp"
#include "pg/sequence.hpp"

namespace audiostore::outbox {
namespace {

constexpr int kRowsAtOnce = 1000;

}  // namespace

struct QueueTable::Impl {
  mutable QueueRelations table;
  mutable TupleTableSlot* slot = nullptr;
  TupleTableSlot** slots = nullptr;  // in `memory`, as is:
  std::size_t slot_count = 0;
  TupleDesc slot_descriptor = nullptr;
  MemoryContext memory = nullptr;
  bool opened = false;

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
    Oid const relation = operation_rows();
    Oid const delete_index = use == Use::lookup ? pg::own_relation("operations_delete") : InvalidOid;
    bool const complete = pg::call([&] {
      bool found = true;
      memory = CurrentMemoryContext;
      opened = true;
      if (OidIsValid(delete_index)) {
        table.open_for_lookup(relation, delete_index);
      } else {
        found = table.open(relation, use == Use::deletes);
      }
      if (use == Use::write) need_slot();
      return found;
    });
    if (!complete) {
      close();
      throw_index_missing();
    }
  }

  // A statement that finds nothing in the way needs none.
  void need_slot() const {
    if (slot != nullptr) return;
    MemoryContext const outer = MemoryContextSwitchTo(memory);
    slot = table_slot_create(table.heap, nullptr);
    MemoryContextSwitchTo(outer);
  }

  void close() {
    if (!opened) return;
    opened = false;
    pg::call([&] {
      if (slot != nullptr) ExecDropSingleTupleTableSlot(slot);
      table.close();
    });
  }

  // One slot for each row at once, kept between batches. Their tuple descriptor is a copy that nobody counts
  // references to: a thousand pins of one descriptor are searched one by one when they go.
  TupleTableSlot** batch_slots(std::size_t count) {
    MemoryContext outer = MemoryContextSwitchTo(memory);
    if (slots == nullptr) {
      slot_count = std::max<std::size_t>(count, 1);
      slots = static_cast<TupleTableSlot**>(palloc0(sizeof(TupleTableSlot*) * slot_count));
      slot_descriptor = CreateTupleDescCopy(RelationGetDescr(table.heap));
    }
    if (count > slot_count) {
      slots = static_cast<TupleTableSlot**>(repalloc(slots, sizeof(TupleTableSlot*) * count));
      std::fill(slots + slot_count, slots + count, nullptr);
      slot_count = count;
    }
    for (std::size_t i = 0; i < count; i++) {
      if (slots[i] == nullptr) slots[i] = MakeSingleTupleTableSlot(slot_descriptor, &TTSOpsHeapTuple);
    }
    MemoryContextSwitchTo(outer);
    return slots;
  }

  std::int64_t insert_batch(std::span<QueueRow> rows, bool deletes) {
    // What a single row takes goes with the caller's memory.
    MemoryContext const outer = CurrentMemoryContext;
    MemoryContext batch = nullptr;
    if (rows.size() > 1) {
      batch = AllocSetContextCreate(outer, "audiostore queue", ALLOCSET_DEFAULT_SIZES);
      MemoryContextSwitchTo(batch);
    }
    TupleTableSlot** tuples = batch_slots(rows.size());
    for (std::size_t i = 0; i < rows.size(); i++) {
      ExecStoreHeapTuple(heap_form_tuple(slot_descriptor, rows[i].values, rows[i].nulls), tuples[i], false);
    }
    table_multi_insert(table.heap, tuples, static_cast<int>(rows.size()), GetCurrentCommandId(true), 0, nullptr);
    // Keys come in order, and a statement that has to wait for another one at a key has not entered the keys behind
    // it: so two statements that let go of the same keys do not wait for each other.
    Clashes clashes{.table = this, .rows = rows, .tuples = tuples, .kept = static_cast<std::int64_t>(rows.size())};
    QueueRelations::OnClash const settle{.call = &Clashes::settle, .context = &clashes};
    table.insert_entries(tuples, rows.data(), rows.size(), deletes ? &settle : nullptr);
    for (std::size_t i = 0; i < rows.size(); i++) ExecClearTuple(tuples[i]);
    MemoryContextSwitchTo(outer);
    if (batch != nullptr) MemoryContextDelete(batch);
    return clashes.kept;
  }

  struct Clashes {
    const Impl* table;
    std::span<QueueRow> rows;
    TupleTableSlot** tuples;
    std::int64_t kept;

    static void settle(void* context, std::size_t i) {
      auto& self = *static_cast<Clashes*>(context);
      if (!self.table->settle_conflict(self.rows[i], self.tuples[i]->tts_tid)) self.kept--;
    }
  };

  // SnapshotDirty shows a row that somebody is inserting even if he has removed it again. `slot` has it.
  bool removed_by_inserter(TransactionId inserter) const {
    const auto* const buffered = reinterpret_cast<const BufferHeapTupleTableSlot*>(slot);
    HeapTupleHeader const header = buffered->base.tuple->t_data;
    LockBuffer(buffered->buffer, BUFFER_LOCK_SHARE);
    bool const removed = (header->t_infomask & (HEAP_XMAX_INVALID | HEAP_XMAX_IS_MULTI)) == 0 &&
                         !HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask) && HeapTupleHeaderGetRawXmax(header) == inserter;
    LockBuffer(buffered->buffer, BUFFER_LOCK_UNLOCK);
    return removed;
  }

  // The next delete of this key that is not `except`, seen through SnapshotDirty. A row that the worker is changing
  // has two versions then, in any order: the old one counts, the new one only when nothing else is found.
  Found find(Datum store, Datum key, ItemPointer except) const { return find_in(table.deletes, store, key, except); }

  Found find_in(Relation index, Datum store, Datum key, ItemPointer except) const {
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    ScanKeyData keys[2];
    Oid const collation = C_COLLATION_OID;
    ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, TEXTOID, collation, F_TEXTEQ, key);
    ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, TEXTOID, collation, F_TEXTEQ, store);
    Found found{};
    IndexScanDesc scan = pg::begin_index_scan(table.heap, index, &dirty, 2);
    index_rescan(scan, keys, 2, nullptr, 0);
    while (next_row(scan)) {
      if (except != nullptr && ItemPointerEquals(&slot->tts_tid, except)) continue;
      if (TransactionIdIsValid(dirty.xmin) && removed_by_inserter(dirty.xmin)) continue;
      bool null = false;
      found = {.any = true,
               .running = text_equals(slot_getattr(slot, column::state, &null), "running"),
               .in_doubt = DatumGetBool(slot_getattr(slot, column::in_doubt, &null)),
               .tid = slot->tts_tid,
               .inserting = dirty.xmin};
      if (!TransactionIdIsValid(dirty.xmin)) break;
    }
    index_endscan(scan);
    if (slot != nullptr) ExecClearTuple(slot);
    return found;
  }

  // The next row of the scan, in `slot`.
  bool next_row(IndexScanDesc scan) const {
    for (;;) {
      if (!scan->xs_heap_continue && index_getnext_tid(scan, ForwardScanDirection) == nullptr) return false;
      need_slot();
      if (index_fetch_heap(scan, slot)) return true;
    }
  }

  // Waits for whoever is changing the row, and removes it only if it is still the version that was found. So a row
  // that turns out to be running is never locked by us: the worker could not settle it while our transaction lasts.
  TM_Result remove(ItemPointerData tid) const {
    CommandCounterIncrement();  // it may have been queued by this very command
    TM_FailureData failure;
    return table_tuple_delete(table.heap, &tid, GetCurrentCommandId(true), SnapshotAny, InvalidSnapshot, true, &failure,
                              false);
  }

  // Takes back the delete of this key that is not `except`. One that another transaction is inserting stays: its
  // inserter is told.
  TakenBack take_back(Datum store, Datum key, ItemPointer except, TransactionId& inserter) const {
    inserter = InvalidTransactionId;
    for (;;) {
      CHECK_FOR_INTERRUPTS();
      Found const found = find(store, key, except);
      if (!found.any) return TakenBack::none;
      if (TransactionIdIsValid(found.inserting) && !TransactionIdIsCurrentTransactionId(found.inserting)) {
        if (TransactionIdIsInProgress(found.inserting)) {
          inserter = found.inserting;
          return TakenBack::none;
        }
        // Ended meanwhile: it may have been a change of the row whose old version we came too late to see.
        continue;
      }
      if (found.running) return TakenBack::running;
      if (found.in_doubt) return TakenBack::in_doubt;
      if (remove(found.tid) == TM_Ok) return TakenBack::taken;
    }
  }

  // The row at `mine` met another delete of its key: keep the one that says more. Returns whether mine stays.
  //
  // Where the other one is being inserted, its transaction has to end first. While we wait, ours is out of the queue:
  // of several that meet at one key, each would wait for the others otherwise.
  bool settle_conflict(QueueRow& row, ItemPointerData mine) const {
    Datum const store = row.values[column::store - 1];
    Datum const key = row.values[column::key - 1];
    for (;;) {
      TransactionId inserter = InvalidTransactionId;
      TakenBack const found = take_back(store, key, &mine, inserter);
      if (!TransactionIdIsValid(inserter)) {
        if (found == TakenBack::none || found == TakenBack::taken) return true;
        remove(mine);
        drop_unstarted_writes(store, key);
        return false;
      }
      remove(mine);
      // The other one may have stepped back before us in the same way.
      if (Found const again = find(store, key, nullptr);
          again.any && TransactionIdIsValid(again.inserting) && !TransactionIdIsCurrentTransactionId(again.inserting)) {
        ItemPointerData tid = again.tid;
        XactLockTableWait(again.inserting, table.heap, &tid, XLTW_InsertIndex);
      }
      if (!insert_again(row, mine)) return true;
    }
  }

  // Returns whether it met another delete of its key.
  bool insert_again(QueueRow& row, ItemPointerData& mine) const {
    TupleTableSlot* tuple = MakeSingleTupleTableSlot(slot_descriptor, &TTSOpsHeapTuple);
    ExecStoreHeapTuple(heap_form_tuple(slot_descriptor, row.values, row.nulls), tuple, false);
    table_tuple_insert(table.heap, tuple, GetCurrentCommandId(true), 0, nullptr);
    bool clash = false;
    QueueRelations::OnClash const note{.call = [](void* seen, std::size_t) { *static_cast<bool*>(seen) = true; },
                                       .context = &clash};
    table.insert_entries(&tuple, &row, 1, &note);
    mine = tuple->tts_tid;
    ExecDropSingleTupleTableSlot(tuple);
    return clash;
  }

  // Which of these keys have entries in operations_delete: walks along the index, and looks for each key when there
  // turns out to be too much between them.
  void keys_with_entries(std::string_view store, std::span<const std::string_view> keys,
                         std::vector<std::size_t>& found) const {
    constexpr std::size_t kMostSkipped = 8;  // for each key
    constexpr std::size_t kAnyway = 64;
    SnapshotData any;
    InitDirtySnapshot(any);
    IndexScanDesc const scan = pg::begin_index_scan(table.heap, table.deletes, &any, 1);
    scan->xs_want_itup = true;
    MemoryContext const each = AllocSetContextCreate(CurrentMemoryContext, "audiostore walk", ALLOCSET_SMALL_SIZES);
    std::size_t at = 0;
    std::size_t skipped = 0;
    auto const seek = [&] {
      ScanKeyData from;
      MemoryContextReset(each);
      MemoryContext const outer = MemoryContextSwitchTo(each);
      Datum const key = make_text(keys[at]);
      MemoryContextSwitchTo(outer);
      ScanKeyEntryInitialize(&from, 0, 1, BTGreaterEqualStrategyNumber, TEXTOID, C_COLLATION_OID, F_TEXT_GE, key);
      index_rescan(scan, &from, 1, nullptr, 0);
    };
    seek();
    while (at < keys.size() && index_getnext_tid(scan, ForwardScanDirection) != nullptr) {
      CHECK_FOR_INTERRUPTS();
      bool null = false;
      auto* text =
          reinterpret_cast<struct varlena*>(DatumGetPointer(index_getattr(scan->xs_itup, 1, scan->xs_itupdesc, &null)));
      if (text == nullptr) continue;
      struct varlena* const plain = VARATT_IS_COMPRESSED(text) ? pg_detoast_datum_packed(text) : text;
      std::string_view const entry(VARDATA_ANY(plain), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(plain)));
      std::size_t const before = at;
      while (at < keys.size() && keys[at] < entry) at++;
      bool const met = at < keys.size() && keys[at] == entry;
      if (met && text_equals(index_getattr(scan->xs_itup, 2, scan->xs_itupdesc, &null), store) &&
          (found.empty() || found.back() != at)) {
        found.push_back(at);
      }
      if (plain != text) pfree(plain);
      if (!met && at == before && at < keys.size()) skipped++;
      if (skipped > kAnyway + kMostSkipped * at) {
        seek();
        skipped -= kMostSkipped;
      }
    }
    MemoryContextDelete(each);
    index_endscan(scan);
  }

  void drop_unstarted_writes(Datum store, Datum key) const {
    for (;;) {
      Found const found = find_in(table.open_other(), store, key, nullptr);
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
    impl_->opened = false;
  }
}

std::vector<std::int64_t> QueueTable::next_ids(std::size_t count) {
  Oid const sequence = pg::own_relation("operations_id_seq");
  std::vector<std::int64_t> ids(count);
  pg::call([&] {
    for (std::int64_t& id : ids) id = nextval_internal(sequence, false);
  });
  return ids;
}

std::int64_t QueueTable::next_id_of(std::size_t count) {
  Oid const sequence = pg::own_relation("operations_id_seq");
  return pg::call([&] { return pg::take_from_sequence(sequence, static_cast<std::int64_t>(count)); });
}

std::int64_t QueueTable::insert(std::span<QueueRow> rows, bool deletes) {
  std::int64_t stayed = 0;
  for (std::size_t first = 0; first < rows.size(); first += kRowsAtOnce) {
    auto const batch = rows.subspan(first, std::min<std::size_t>(kRowsAtOnce, rows.size() - first));
    stayed += pg::call([&] { return impl_->insert_batch(batch, deletes); });
    for (QueueRow const& row : batch) {
      if (deletes) note_delete(text_of(row.values[column::store - 1]), text_of(row.values[column::key - 1]));
    }
  }
  return stayed;
}

TakenBack QueueTable::take_back_delete(std::string_view store, std::string_view key) {
  return pg::call([&] {
    // Somebody else's new delete is checked when it is claimed.
    TransactionId inserter = InvalidTransactionId;
    return impl_->take_back(make_text(store), make_text(key), nullptr, inserter);
  });
}

void QueueTable::take_back_deletes(std::string_view store, std::span<const std::string_view> keys,
                                   const std::function<void(std::size_t, TakenBack)>& found) {
  std::vector<std::size_t> which;
  pg::call([&] { impl_->keys_with_entries(store, keys, which); });
  for (std::size_t const i : which) {
    TakenBack const what = take_back_delete(store, keys[i]);
    if (what != TakenBack::none) found(i, what);
  }
}

void QueueTable::drop_unstarted_writes(std::string_view store, std::string_view key) {
  pg::call([&] { impl_->drop_unstarted_writes(make_text(store), make_text(key)); });
}

std::optional<std::int64_t> QueueTable::find_delete(std::string_view store, std::string_view key) {
  std::int64_t id = 0;
  bool const any = pg::call([&] {
    Impl::Found const found = impl_->find(make_text(store), make_text(key), nullptr);
    if (!found.any) return false;
    ItemPointerData tid = found.tid;
    if (!table_tuple_fetch_row_version(impl_->table.heap, &tid, SnapshotAny, impl_->slot)) return false;
    bool null = false;
    id = DatumGetInt64(slot_getattr(impl_->slot, column::id, &null));
    ExecClearTuple(impl_->slot);
    return true;
  });
  return any ? std::optional(id) : std::nullopt;
}

bool QueueTable::has_other(std::string_view store, std::string_view key) {
  return pg::call([&] { return impl_->find_in(impl_->table.other, make_text(store), make_text(key), nullptr).any; });
}

}  // namespace audiostore::outbox
