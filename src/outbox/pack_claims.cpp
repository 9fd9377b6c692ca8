#include "outbox/pack_claims.hpp"

#include <limits>

#include "base/front_coding.hpp"

namespace audiostore::outbox {
namespace {

// Marks it, unless it is not to be had.
bool mark_running(PackRelations& relations, const DueRows& due, Pack& pack) {
  bool const lost = pack.state == PackState::running && pack.leased_until < due.now;
  if (pack.state != PackState::pending && !lost) return false;
  pack.in_doubt = pack.in_doubt || lost;
  pack.state = PackState::running;
  pack.attempts++;
  pack.leased_until = due.lease_until;
  pack.claimed_by = MyProcPid;
  return relations.update(pack);
}

}  // namespace

bool PackClaims::claim(const DueRows& due, std::vector<Pack>& claimed) {
  Pack pack;
  std::size_t keys = 0;
  pg::call([&] {
    Snapshot const snapshot = RegisterSnapshot(GetLatestSnapshot());
    IndexScanDesc const scan = begin_due_scan(relations_.packs(), relations_.due_index(), snapshot, due);
    while (keys < due.limit && index_getnext_slot(scan, ForwardScanDirection, relations_.slot())) {
      CHECK_FOR_INTERRUPTS();
      PackRelations::read(relations_.slot(), pack);
      if (!mark_running(relations_, due, pack)) continue;
      keys += static_cast<std::size_t>(pack.key_count);
      claimed.push_back(pack);
    }
    ExecClearTuple(relations_.slot());
    index_endscan(scan);
    UnregisterSnapshot(snapshot);
    CommandCounterIncrement();
  });
  return keys >= due.limit;
}

std::vector<PackClaims::Hole> PackClaims::holes_of(const Pack& pack) {
  std::vector<Hole> found;
  pg::call([&] {
    if (relations_.no_holes()) return;
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    TupleTableSlot* const slot = table_slot_create(relations_.holes(), nullptr);
    IndexScanDesc const scan =
        begin_id_scan(relations_.holes(), relations_.holes_index(), &dirty, pack.id, pack.id + pack.key_count - 1);
    while (index_getnext_slot(scan, ForwardScanDirection, slot)) {
      bool null = false;
      found.push_back({.id = DatumGetInt64(slot_getattr(slot, 1, &null)),
                       .certain = !TransactionIdIsValid(dirty.xmin),
                       .tid = slot->tts_tid});
    }
    index_endscan(scan);
    ExecDropSingleTupleTableSlot(slot);
  });
  return found;
}

void PackClaims::remove_holes(std::span<const Hole> holes) {
  pg::call([&] {
    for (Hole const& hole : holes) {
      if (hole.certain) remove_version(relations_.holes(), hole.tid);
    }
    CommandCounterIncrement();
  });
}

void PackClaims::replace(const Pack& pack, std::span<Pack> parts) {
  pg::call([&] {
    remove_version(relations_.packs(), pack.tid);
    CommandCounterIncrement();
    if (!parts.empty()) relations_.insert(parts);
    CommandCounterIncrement();
  });
}

std::optional<Pack> PackClaims::find_claimed(std::int64_t id) {
  Pack pack;
  bool found = false;
  pg::call([&] {
    Snapshot const snapshot = RegisterSnapshot(GetLatestSnapshot());
    IndexScanDesc const scan = begin_id_scan(relations_.packs(), relations_.id_index(), snapshot, id, id);
    found = index_getnext_slot(scan, ForwardScanDirection, relations_.slot());
    if (found) PackRelations::read(relations_.slot(), pack);
    ExecClearTuple(relations_.slot());
    index_endscan(scan);
    UnregisterSnapshot(snapshot);
  });
  bool const ours = found && pack.state == PackState::running && pack.claimed_by == MyProcPid;
  return ours ? std::optional(std::move(pack)) : std::nullopt;
}

bool PackClaims::remove_claimed(std::int64_t id, ItemPointerData tid) {
  return pg::call([&] {
    TupleTableSlot* const slot = relations_.slot();
    if (!ItemPointerIsValid(&tid) || ItemPointerGetBlockNumber(&tid) >= RelationGetNumberOfBlocks(relations_.packs()) ||
        !table_tuple_fetch_row_version(relations_.packs(), &tid, SnapshotAny, slot)) {
      return false;
    }
    bool null = false;
    bool const ours = DatumGetInt64(slot_getattr(slot, pack_column::id, &null)) == id &&
                      DatumGetInt32(slot_getattr(slot, pack_column::claimed_by, &null)) == MyProcPid && !null;
    ExecClearTuple(slot);
    TM_FailureData failure;
    // What is not the last version, or was removed, says so here.
    return ours && table_tuple_delete(relations_.packs(), &tid, GetCurrentCommandId(true), SnapshotAny, InvalidSnapshot,
                                      true, &failure, false) == TM_Ok;
  });
}

Pack part_of(const Pack& pack, std::span<const std::string_view> keys, std::size_t first, std::size_t count) {
  Pack part = pack;
  part.id = pack.id + static_cast<std::int64_t>(first);
  part.key_count = static_cast<int>(count);
  part.keys.clear();
  front_code(keys.subspan(first, count), std::numeric_limits<std::size_t>::max(), part.keys);
  return part;
}

PackedKeys::PackedKeys(const Pack& pack) {
  FrontCodedReader reader(pack.keys);
  ends_.reserve(static_cast<std::size_t>(pack.key_count));
  while (reader.next()) {
    octets_.append(reader.current());
    ends_.push_back(octets_.size());
  }
  if (!reader.complete() || ends_.size() != static_cast<std::size_t>(pack.key_count)) {
    throw pg::SqlError(ERRCODE_DATA_CORRUPTED, "pack " + std::to_string(pack.id) + " of queued deletes is damaged",
                       "It is a row of audiostore.operation_packs of store \"" + pack.store + "\".");
  }
}

std::vector<std::string_view> PackedKeys::views() const {
  std::vector<std::string_view> views;
  views.reserve(size());
  for (std::size_t i = 0; i < size(); i++) views.push_back((*this)[i]);
  return views;
}

}  // namespace audiostore::outbox
