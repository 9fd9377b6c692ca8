#include "outbox/queue_claims.hpp"

#include "outbox/queue_row.hpp"

namespace audiostore::outbox {

QueueClaims::QueueClaims() {
  Oid const relation = operation_rows();
  bool const complete = pg::call([&] {
    if (!table_.open(relation, false)) return false;
    slot_ = table_slot_create(table_.heap, nullptr);
    return true;
  });
  if (complete) return;
  pg::call([&] { table_.close(); });
  throw_index_missing();
}

QueueClaims::~QueueClaims() {
  // What an error jumped out of, the abort that follows clears up.
  if (pg::PgError::any_alive()) return;
  try {
    pg::call([&] {
      ExecDropSingleTupleTableSlot(slot_);
      table_.close();
    });
  } catch (const pg::PgError&) {
    return;
  }
}

bool QueueClaims::only_deletes() {
  return pg::call([&] {
    Snapshot const snapshot = RegisterSnapshot(GetLatestSnapshot());
    IndexScanDesc const scan = pg::begin_index_scan(table_.heap, table_.other, snapshot, 0);
    index_rescan(scan, nullptr, 0, nullptr, 0);
    bool const found = index_getnext_slot(scan, ForwardScanDirection, slot_);
    ExecClearTuple(slot_);
    index_endscan(scan);
    UnregisterSnapshot(snapshot);
    return !found;
  });
}

// The row in slot_.
void QueueClaims::claim_row(const DueRows& due, TupleTableSlot* changed, std::vector<ClaimedDelete>& claimed) {
  slot_getallattrs(slot_);
  QueueRow row;
  std::copy_n(slot_->tts_values, int{column::count}, row.values);
  std::copy_n(slot_->tts_isnull, int{column::count}, row.nulls);
  auto const value = [&row](AttrNumber attribute) { return row.values[attribute - 1]; };
  bool const running = text_equals(value(column::state), "running");
  if (!running && !text_equals(value(column::state), "pending")) return;
  bool const leased =
      row.nulls[column::leased_until - 1] || DatumGetTimestampTz(value(column::leased_until)) >= due.now;
  if ((running && leased) || !text_equals(value(column::kind), "delete")) return;
  int const attempts = DatumGetInt32(value(column::attempts)) + 1;
  bool const in_doubt = DatumGetBool(value(column::in_doubt)) || running;
  row.set(column::state, make_text("running"));
  row.set(column::attempts, Int32GetDatum(attempts));
  row.set(column::leased_until, TimestampTzGetDatum(due.lease_until));
  row.set(column::claimed_by, Int32GetDatum(MyProcPid));
  row.set(column::in_doubt, BoolGetDatum(in_doubt));
  ExecStoreHeapTuple(heap_form_tuple(RelationGetDescr(table_.heap), row.values, row.nulls), changed, false);
  bool needs_entries = false;
  ItemPointerData tid = slot_->tts_tid;
  if (pg::update_unlocked(table_.heap, &tid, changed, needs_entries) != TM_Ok) return;
  if (needs_entries) table_.insert_entries(&changed, &row, 1, nullptr);
  const auto* const key = reinterpret_cast<const struct varlena*>(PG_DETOAST_DATUM_PACKED(value(column::key)));
  claimed.push_back({.row = {.id = DatumGetInt64(value(column::id)), .tid = changed->tts_tid},
                     .not_before = DatumGetTimestampTz(value(column::not_before)),
                     .attempts = attempts,
                     .in_doubt = in_doubt,
                     .key = std::string(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key))});
}

bool QueueClaims::remove_if_claimed(const ClaimedRow& row, BlockNumber blocks) {
  ItemPointerData tid = row.tid;
  if (!ItemPointerIsValid(&tid) || ItemPointerGetBlockNumber(&tid) >= blocks) return false;
  if (!table_tuple_fetch_row_version(table_.heap, &tid, SnapshotAny, slot_)) return false;
  bool null = false;
  bool const ours = DatumGetInt64(slot_getattr(slot_, column::id, &null)) == row.id &&
                    DatumGetInt32(slot_getattr(slot_, column::claimed_by, &null)) == MyProcPid && !null &&
                    text_equals(slot_getattr(slot_, column::state, &null), "running");
  TM_FailureData failure;
  return ours && table_tuple_delete(table_.heap, &tid, GetCurrentCommandId(true), SnapshotAny, InvalidSnapshot, true,
                                    &failure, false) == TM_Ok;
}

void QueueClaims::claim(const DueRows& due, std::vector<ClaimedDelete>& claimed) {
  claimed.reserve(due.limit);
  pg::call([&] {
    Snapshot const snapshot = RegisterSnapshot(GetLatestSnapshot());
    IndexScanDesc const scan = begin_due_scan(table_.heap, table_.due, snapshot, due);
    TupleTableSlot* const changed = MakeSingleTupleTableSlot(RelationGetDescr(table_.heap), &TTSOpsHeapTuple);
    MemoryContext const each = AllocSetContextCreate(CurrentMemoryContext, "audiostore claim", ALLOCSET_DEFAULT_SIZES);
    while (claimed.size() < due.limit && index_getnext_slot(scan, ForwardScanDirection, slot_)) {
      CHECK_FOR_INTERRUPTS();
      // Not around the scan: what that allocates on its way has to stay.
      MemoryContext const outer = MemoryContextSwitchTo(each);
      claim_row(due, changed, claimed);
      MemoryContextSwitchTo(outer);
      ExecClearTuple(changed);
      MemoryContextReset(each);
    }
    ExecDropSingleTupleTableSlot(changed);
    MemoryContextDelete(each);
    ExecClearTuple(slot_);
    index_endscan(scan);
    UnregisterSnapshot(snapshot);
    CommandCounterIncrement();
  });
}

std::vector<std::int64_t> QueueClaims::remove_claimed(std::span<const ClaimedRow> rows) {
  std::vector<std::int64_t> elsewhere;
  pg::call([&] {
    BlockNumber const blocks = RelationGetNumberOfBlocks(table_.heap);
    for (ClaimedRow const& row : rows) {
      if (!remove_if_claimed(row, blocks)) elsewhere.push_back(row.id);
    }
    ExecClearTuple(slot_);
    CommandCounterIncrement();
  });
  return elsewhere;
}

}  // namespace audiostore::outbox
