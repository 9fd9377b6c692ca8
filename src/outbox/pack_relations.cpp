#include "outbox/pack_relations.hpp"

#include "outbox/pending_summary.hpp"
#include "pg/identity.hpp"

namespace audiostore::outbox {
namespace {

constexpr const char* kStates[] = {"pending", "running", "dead"};

Datum make_text(std::string_view value) {
  return PointerGetDatum(cstring_to_text_with_len(value.data(), static_cast<int>(value.size())));
}

std::string_view text_of(Datum value) {
  const auto* text = reinterpret_cast<const struct varlena*>(PG_DETOAST_DATUM_PACKED(value));
  return {VARDATA_ANY(text), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(text))};
}

Relation open_index(Oid index, const char* name) {
  if (!OidIsValid(index)) index = get_relname_relid(name, get_namespace_oid("audiostore", false));
  if (!OidIsValid(index)) {
    ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("index \"%s\" is missing", name),
            errhint("Restore the indexes of the extension's tables operation_packs and operation_holes."));
  }
  return index_open(index, RowExclusiveLock);
}

Relation open_once(Relation& index, const char* name) {
  if (index == nullptr) index = open_index(InvalidOid, name);
  return index;
}

}  // namespace

IndexScanDesc begin_id_scan(Relation heap, Relation index, Snapshot snapshot, std::int64_t first, std::int64_t last) {
  ScanKeyData keys[2];
  ScanKeyEntryInitialize(&keys[0], 0, 1, BTGreaterEqualStrategyNumber, INT8OID, InvalidOid, F_INT8GE,
                         Int64GetDatum(first));
  ScanKeyEntryInitialize(&keys[1], 0, 1, BTLessEqualStrategyNumber, INT8OID, InvalidOid, F_INT8LE, Int64GetDatum(last));
  IndexScanDesc const scan = pg::begin_index_scan(heap, index, snapshot, 2);
  index_rescan(scan, keys, 2, nullptr, 0);
  return scan;
}

PackRelations::PackRelations(Use use) {
  if (use == Use::lookup && !may_have_packs()) return;
  Oid const packs = pg::own_relation("operation_packs");
  if (!OidIsValid(packs)) return;
  std::uint64_t const noted = packs_noted();
  packs_ = pg::call([packs] { return table_open(packs, RowExclusiveLock); });
  if (empty()) {
    note_no_packs(packs_, noted);
  } else {
    keys_oid_ = pg::own_relation("operation_packs_keys");
  }
}

PackRelations::~PackRelations() {
  // What an error jumped out of, the abort that follows clears up.
  if (pg::PgError::any_alive()) return;
  try {
    pg::call([this] {
      pack_writer_.close();
      hole_writer_.close();
      if (slot_ != nullptr) ExecDropSingleTupleTableSlot(slot_);
      for (Relation const index : {keys_, due_, id_, holes_id_}) {
        if (index != nullptr) index_close(index, NoLock);
      }
      if (holes_ != nullptr) table_close(holes_, NoLock);
      if (packs_ != nullptr) table_close(packs_, NoLock);
    });
  } catch (const pg::PgError&) {
    return;
  }
}

Relation PackRelations::packs() const {
  if (packs_ == nullptr) {
    ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"audiostore.operation_packs\" does not exist"),
            errhint("Create the extension audiostore in this database."));
  }
  return packs_;
}

Relation PackRelations::keys_index() const {
  if (keys_ == nullptr) keys_ = open_index(keys_oid_, "operation_packs_keys");
  return keys_;
}

Relation PackRelations::due_index() const { return open_once(due_, "operation_packs_due"); }
Relation PackRelations::id_index() const { return open_once(id_, "operation_packs_pkey"); }
Relation PackRelations::holes_index() const { return open_once(holes_id_, "operation_holes_id"); }

Relation PackRelations::holes() const {
  if (holes_ == nullptr) {
    holes_ = table_open(get_relname_relid("operation_holes", get_namespace_oid("audiostore", false)), RowExclusiveLock);
  }
  return holes_;
}

TupleTableSlot* PackRelations::slot() const {
  if (slot_ == nullptr) {
    MemoryContext const outer = MemoryContextSwitchTo(memory_);
    slot_ = table_slot_create(packs(), nullptr);
    MemoryContextSwitchTo(outer);
  }
  return slot_;
}

bool PackRelations::no_holes() const { return RelationGetNumberOfBlocks(holes()) == 0; }

HeapTuple PackRelations::form(const Pack& pack) const {
  Datum values[pack_column::count] = {};
  bool nulls[pack_column::count] = {};
  auto const set = [&](AttrNumber column, Datum value) { values[column - 1] = value; };
  auto const set_unless = [&](bool null, AttrNumber column, Datum value) {
    values[column - 1] = value;
    nulls[column - 1] = null;
  };
  set(pack_column::id, Int64GetDatum(pack.id));
  set(pack_column::enqueued_at, TimestampTzGetDatum(pack.enqueued_at));
  set(pack_column::not_before, TimestampTzGetDatum(pack.not_before));
  set_unless(pack.leased_until == DT_NOBEGIN, pack_column::leased_until, TimestampTzGetDatum(pack.leased_until));
  set(pack_column::statement, Int64GetDatum(pack.statement));
  set(pack_column::attempts, Int32GetDatum(pack.attempts));
  set_unless(pack.claimed_by == 0, pack_column::claimed_by, Int32GetDatum(pack.claimed_by));
  set(pack_column::key_count, Int32GetDatum(pack.key_count));
  set(pack_column::in_doubt, BoolGetDatum(pack.in_doubt));
  set(pack_column::state, make_text(kStates[static_cast<std::size_t>(pack.state)]));
  set(pack_column::store, make_text(pack.store));
  set(pack_column::range_end, make_text(pack.range_end));
  set_unless(pack.reason.empty(), pack_column::reason, make_text(pack.reason));
  set_unless(pack.last_error.empty(), pack_column::last_error, make_text(pack.last_error));
  set(pack_column::keys, make_text(pack.keys));
  return heap_form_tuple(RelationGetDescr(packs()), values, nulls);
}

void PackRelations::read(TupleTableSlot* row, Pack& pack) {
  slot_getallattrs(row);
  auto const value = [&](AttrNumber column) { return row->tts_values[column - 1]; };
  auto const null = [&](AttrNumber column) { return row->tts_isnull[column - 1]; };
  auto const text = [&](AttrNumber column) { return null(column) ? std::string_view() : text_of(value(column)); };
  pack.tid = row->tts_tid;
  pack.id = DatumGetInt64(value(pack_column::id));
  pack.enqueued_at = DatumGetTimestampTz(value(pack_column::enqueued_at));
  pack.not_before = DatumGetTimestampTz(value(pack_column::not_before));
  pack.leased_until =
      null(pack_column::leased_until) ? DT_NOBEGIN : DatumGetTimestampTz(value(pack_column::leased_until));
  pack.statement = DatumGetInt64(value(pack_column::statement));
  pack.attempts = DatumGetInt32(value(pack_column::attempts));
  pack.claimed_by = null(pack_column::claimed_by) ? 0 : DatumGetInt32(value(pack_column::claimed_by));
  pack.key_count = DatumGetInt32(value(pack_column::key_count));
  pack.in_doubt = DatumGetBool(value(pack_column::in_doubt));
  std::string_view const state = text(pack_column::state);
  pack.state = state == kStates[0] ? PackState::pending : state == kStates[1] ? PackState::running : PackState::dead;
  pack.store = text(pack_column::store);
  pack.range_end = text(pack_column::range_end);
  pack.reason = text(pack_column::reason);
  pack.last_error = text(pack_column::last_error);
  pack.keys = text(pack_column::keys);
}

std::string_view PackRelations::keys_of(TupleTableSlot* row) {
  bool null = false;
  return text_of(slot_getattr(row, pack_column::keys, &null));
}

void PackRelations::insert(std::span<Pack> packs) {
  constexpr std::size_t kAtOnce = 32;
  pack_writer_.open(this->packs());
  TupleTableSlot* slots[kAtOnce] = {};
  MemoryContext const batch = AllocSetContextCreate(CurrentMemoryContext, "audiostore packs", ALLOCSET_DEFAULT_SIZES);
  for (auto& slot : slots) slot = MakeSingleTupleTableSlot(RelationGetDescr(this->packs()), &TTSOpsHeapTuple);
  for (std::size_t first = 0; first < packs.size(); first += kAtOnce) {
    CHECK_FOR_INTERRUPTS();
    auto const some = packs.subspan(first, std::min(kAtOnce, packs.size() - first));
    MemoryContext const outer = MemoryContextSwitchTo(batch);
    for (std::size_t i = 0; i < some.size(); i++) ExecStoreHeapTuple(form(some[i]), slots[i], false);
    pack_writer_.insert_many(slots, static_cast<int>(some.size()));
    for (std::size_t i = 0; i < some.size(); i++) {
      some[i].tid = slots[i]->tts_tid;
      ExecClearTuple(slots[i]);
    }
    MemoryContextSwitchTo(outer);
    MemoryContextReset(batch);
  }
  for (auto* slot : slots) ExecDropSingleTupleTableSlot(slot);
  MemoryContextDelete(batch);
  note_packs();
}

bool PackRelations::update(Pack& pack) {
  pack_writer_.open(packs());
  MemoryContext const each = AllocSetContextCreate(CurrentMemoryContext, "audiostore pack", ALLOCSET_DEFAULT_SIZES);
  MemoryContext const outer = MemoryContextSwitchTo(each);
  TupleTableSlot* const changed = MakeSingleTupleTableSlot(RelationGetDescr(packs()), &TTSOpsHeapTuple);
  ExecStoreHeapTuple(form(pack), changed, false);
  bool needs_entries = false;
  ItemPointerData tid = pack.tid;
  bool const done = pg::update_unlocked(packs_, &tid, changed, needs_entries) == TM_Ok;
  if (done) {
    pack.tid = changed->tts_tid;
    if (needs_entries) pack_writer_.insert_entries(changed);
  }
  ExecDropSingleTupleTableSlot(changed);
  MemoryContextSwitchTo(outer);
  MemoryContextDelete(each);
  return done;
}

ItemPointerData PackRelations::insert_hole(std::int64_t id) {
  hole_writer_.open(holes());
  TupleTableSlot* const hole = table_slot_create(holes_, nullptr);
  hole->tts_values[0] = Int64GetDatum(id);
  hole->tts_isnull[0] = false;
  ExecStoreVirtualTuple(hole);
  hole_writer_.insert(hole);
  ItemPointerData const at = hole->tts_tid;
  ExecDropSingleTupleTableSlot(hole);
  return at;
}

}  // namespace audiostore::outbox
