// How a key is found: the index has packs by store, statement and the end of their range. For each statement, which a
// skip along the index finds, there is one range that the key can be in, and the pack of that range, or its parts since
// it was split, are the only ones to look into. So a lookup costs two descents of the index for each statement that has
// packs, whatever their number.
#include "outbox/pack_table.hpp"

#include "base/front_coding.hpp"

namespace audiostore::outbox {
namespace {

// A row may take up a page: what else is in it is a few hundred octets at most.
constexpr std::size_t kMostOctets = 7600;

enum class Hole { none, undecided, certain };

// Another's delete of a key in a pack. Plain, as it is filled inside pg::call.
struct Hit {
  bool any;
  std::int64_t id;
  std::int64_t statement;
  ItemPointerData tid;
  bool single;
  bool in_doubt;
  PackState state;
  TransactionId inserting;  // a transaction in progress
  TransactionId changing;   // the same
};

// Position of the key in a pack, or -1.
int position_of(std::string_view coded, std::string_view key) {
  FrontCodedReader reader(coded);
  for (int position = 0; reader.next(); position++) {
    if (reader.current() == key) return position;
    if (reader.current() > key) return -1;
  }
  return -1;
}

Datum make_text(std::string_view value) {
  return PointerGetDatum(cstring_to_text_with_len(value.data(), static_cast<int>(value.size())));
}

// Entries of the index operation_packs_keys, seen with SnapshotDirty. For use inside pg::call.
class KeysScan {
 public:
  KeysScan(const PackRelations& relations, std::string_view store)
      : relations_(relations), store_(make_text(store)), empty_(make_text({})) {
    InitDirtySnapshot(dirty_);
    scan_ = pg::begin_index_scan(relations.packs(), relations.keys_index(), &dirty_, 3);
    scan_->xs_want_itup = true;
  }
  void end() { index_endscan(scan_); }
  // Of the index's page, which VACUUM may want: somebody is going to wait.
  void let_go() { index_rescan(scan_, keys_, 3, nullptr, 0); }

  // The first statement from this one on that has entries.
  bool find_statement(std::int64_t from) {
    seek(BTGreaterEqualStrategyNumber, F_INT8GE, from, empty_);
    return next();
  }
  // Its entries from the range that this key is in, or comes before.
  bool find_range(std::int64_t of, Datum key) {
    seek(BTEqualStrategyNumber, F_INT8EQ, of, key);
    return next();
  }
  bool next() {
    if (index_getnext_tid(scan_, ForwardScanDirection) == nullptr) return false;
    bool null = false;
    statement_ = DatumGetInt64(index_getattr(scan_->xs_itup, 2, scan_->xs_itupdesc, &null));
    const auto* end = reinterpret_cast<const struct varlena*>(
        DatumGetPointer(index_getattr(scan_->xs_itup, 3, scan_->xs_itupdesc, &null)));
    if (end == nullptr) return false;
    range_end_ = {VARDATA_ANY(end), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(end))};
    return true;
  }
  std::int64_t statement() const { return statement_; }
  std::string_view range_end() const { return range_end_; }  // until the next step

  // Rows of the current entry, in slot(): at most one that is of interest.
  bool fetch() {
    do {
      if (index_fetch_heap(scan_, relations_.slot())) return true;
    } while (scan_->xs_heap_continue);
    return false;
  }
  TransactionId inserting() const { return dirty_.xmin; }
  TransactionId changing() const { return dirty_.xmax; }

 private:
  void seek(StrategyNumber strategy, Oid comparison, std::int64_t statement, Datum range_end) {
    ScanKeyEntryInitialize(&keys_[0], 0, 1, BTEqualStrategyNumber, TEXTOID, C_COLLATION_OID, F_TEXTEQ, store_);
    ScanKeyEntryInitialize(&keys_[1], 0, 2, strategy, INT8OID, InvalidOid, comparison, Int64GetDatum(statement));
    ScanKeyEntryInitialize(&keys_[2], 0, 3, BTGreaterEqualStrategyNumber, TEXTOID, C_COLLATION_OID, F_TEXT_GE,
                           range_end);
    index_rescan(scan_, keys_, 3, nullptr, 0);
  }

  const PackRelations& relations_;
  Datum store_;
  Datum empty_;
  SnapshotData dirty_{};
  IndexScanDesc scan_ = nullptr;
  ScanKeyData keys_[3] = {};
  std::int64_t statement_ = 0;
  std::string_view range_end_;
};

// Positions in the pack at slot() that are certain to have been taken back, rising.
void certain_holes(PackRelations& relations, std::vector<std::int64_t>& positions) {
  positions.clear();
  if (relations.no_holes()) return;
  bool null = false;
  std::int64_t const first = DatumGetInt64(slot_getattr(relations.slot(), pack_column::id, &null));
  int const count = DatumGetInt32(slot_getattr(relations.slot(), pack_column::key_count, &null));
  SnapshotData dirty;
  InitDirtySnapshot(dirty);
  TupleTableSlot* const hole = table_slot_create(relations.holes(), nullptr);
  IndexScanDesc const scan =
      begin_id_scan(relations.holes(), relations.holes_index(), &dirty, first, first + count - 1);
  while (index_getnext_slot(scan, ForwardScanDirection, hole)) {
    if (!TransactionIdIsValid(dirty.xmin)) positions.push_back(DatumGetInt64(slot_getattr(hole, 1, &null)) - first);
  }
  index_endscan(scan);
  ExecDropSingleTupleTableSlot(hole);
}

// Appends the indexes of those keys that the pack has, but for those at these positions.
void intersect(std::string_view coded, const std::vector<std::int64_t>& without, std::span<const std::string_view> keys,
               std::vector<std::size_t>& found) {
  FrontCodedReader reader(coded);
  if (!reader.next()) return;
  auto at = std::lower_bound(keys.begin(), keys.end(), reader.current());
  std::int64_t position = 0;
  do {
    while (at != keys.end() && *at < reader.current()) ++at;
    if (at == keys.end()) return;
    if (*at == reader.current() && !std::binary_search(without.begin(), without.end(), position)) {
      found.push_back(static_cast<std::size_t>(at - keys.begin()));
    }
    position++;
  } while (reader.next());
}

// The same for all packs of the statement that the scan is at: a descent of the index for each range that has any of
// the keys in it. Returns how many dead rows it met.
int intersect(PackRelations& relations, KeysScan& scan, std::span<const std::string_view> keys,
              std::vector<std::int64_t>& holes, std::vector<std::size_t>& found) {
  int dead = 0;
  std::int64_t const statement = scan.statement();
  MemoryContext const each = AllocSetContextCreate(CurrentMemoryContext, "audiostore range", ALLOCSET_SMALL_SIZES);
  for (auto at = keys.begin(); at != keys.end();) {
    CHECK_FOR_INTERRUPTS();
    MemoryContextReset(each);
    MemoryContext const outer = MemoryContextSwitchTo(each);
    bool more = scan.find_range(statement, make_text(*at));
    Datum const range = more ? make_text(scan.range_end()) : Datum{0};
    MemoryContextSwitchTo(outer);
    if (!more) break;
    std::string_view const end(VARDATA(DatumGetPointer(range)), VARSIZE(DatumGetPointer(range)) - VARHDRSZ);
    for (; more && scan.range_end() == end; more = scan.next()) {
      if (scan.fetch()) {
        certain_holes(relations, holes);
        intersect(PackRelations::keys_of(relations.slot()), holes, keys, found);
      } else {
        dead++;
      }
    }
    at = std::upper_bound(at, keys.end(), end);
  }
  ExecClearTuple(relations.slot());
  MemoryContextDelete(each);
  return dead;
}

Hole hole_at(PackRelations& relations, std::int64_t id) {
  if (relations.no_holes()) return Hole::none;
  SnapshotData dirty;
  InitDirtySnapshot(dirty);
  ScanKeyData key;
  ScanKeyEntryInitialize(&key, 0, 1, BTEqualStrategyNumber, INT8OID, InvalidOid, F_INT8EQ, Int64GetDatum(id));
  IndexScanDesc const scan = pg::begin_index_scan(relations.holes(), relations.holes_index(), &dirty, 1);
  TupleTableSlot* const slot = table_slot_create(relations.holes(), nullptr);
  index_rescan(scan, &key, 1, nullptr, 0);
  Hole found = Hole::none;
  while (found != Hole::certain && index_getnext_slot(scan, ForwardScanDirection, slot)) {
    found = TransactionIdIsValid(dirty.xmin) ? Hole::undecided : Hole::certain;
  }
  ExecDropSingleTupleTableSlot(slot);
  index_endscan(scan);
  return found;
}

// The delete of this key in the packs of one statement. A pack that is being changed has two versions, in any order:
// the old one counts, the new one only when nothing else is found.
Hit look_in_statement(const PackRelations& relations, KeysScan& scan, std::int64_t statement, std::string_view key,
                      Datum key_datum, int& dead) {
  Hit hit{};
  dead = 0;
  if (!scan.find_range(statement, key_datum)) return hit;
  std::string_view const end = scan.range_end();
  auto* const range_end = static_cast<char*>(palloc(end.size() + 1));
  std::memcpy(range_end, end.data(), end.size());
  std::string_view const range(range_end, end.size());
  do {
    if (scan.range_end() != range) break;
    if (!scan.fetch()) {
      dead++;
      continue;
    }
    TupleTableSlot* const row = relations.slot();
    int const position = position_of(PackRelations::keys_of(row), key);
    if (position < 0) continue;
    bool null = false;
    Datum const state = slot_getattr(row, pack_column::state, &null);
    std::string_view const name(VARDATA_ANY(DatumGetPointer(state)), VARSIZE_ANY_EXHDR(DatumGetPointer(state)));
    hit = {.any = true,
           .id = DatumGetInt64(slot_getattr(row, pack_column::id, &null)) + position,
           .statement = statement,
           .tid = row->tts_tid,
           .single = DatumGetInt32(slot_getattr(row, pack_column::key_count, &null)) == 1,
           .in_doubt = DatumGetBool(slot_getattr(row, pack_column::in_doubt, &null)),
           .state = name == "running" ? PackState::running
                    : name == "dead"  ? PackState::dead
                                      : PackState::pending,
           .inserting = scan.inserting(),
           .changing = scan.changing()};
    if (!TransactionIdIsValid(hit.inserting)) break;
  } while (scan.next());
  pfree(range_end);
  ExecClearTuple(relations.slot());
  return hit;
}

// A scan reads a page of entries first and the rows afterwards: what was split and committed in between is dead by
// then, and the entries of its parts came too late. So whoever found dead rows and nothing else looks again, until
// there are no more of them than before.
Hit find_in_statement(const PackRelations& relations, KeysScan& scan, std::int64_t statement, std::string_view key,
                      Datum key_datum) {
  for (int before = 0;;) {
    int dead = 0;
    Hit const hit = look_in_statement(relations, scan, statement, key, key_datum, dead);
    if (hit.any || dead <= before) return hit;
    before = dead;
  }
}

// Calls consider(hit) for the delete of this key in the packs of each statement, until it returns true.
template <class F>
void for_each_hit(PackRelations& relations, std::string_view store, std::string_view key, F&& consider) {
  Datum const key_datum = make_text(key);
  KeysScan scan(relations, store);
  std::int64_t statement = PG_INT64_MIN;
  while (scan.find_statement(statement)) {
    CHECK_FOR_INTERRUPTS();
    statement = scan.statement();
    Hit const hit = find_in_statement(relations, scan, statement, key, key_datum);
    scan.let_go();
    if (hit.any && consider(hit)) break;
    statement++;
  }
  scan.end();
}

Hit find_again(PackRelations& relations, std::string_view store, std::string_view key, std::int64_t statement) {
  KeysScan scan(relations, store);
  Hit const hit = find_in_statement(relations, scan, statement, key, make_text(key));
  scan.end();
  return hit;
}

enum class Attempt { taken, running, in_doubt, none, again };

// Being inserted by another transaction: whether the delete stands is checked when it is claimed.
bool of_another(const Hit& hit) { return TransactionIdIsValid(hit.inserting); }

Attempt take_back_hit(PackRelations& relations, std::string_view store, std::string_view key, const Hit& hit) {
  if (of_another(hit)) {
    // Ended meanwhile: it may have been a change of the pack whose old version we came too late to see.
    return TransactionIdIsInProgress(hit.inserting) ? Attempt::none : Attempt::again;
  }
  if (TransactionIdIsValid(hit.changing)) {
    ItemPointerData tid = hit.tid;
    XactLockTableWait(hit.changing, relations.packs(), &tid, XLTW_Delete);
    return Attempt::again;
  }
  if (hole_at(relations, hit.id) == Hole::certain) return Attempt::none;
  if (hit.state == PackState::running) return Attempt::running;
  if (hit.in_doubt) return Attempt::in_doubt;
  if (hit.single) return remove_version(relations.packs(), hit.tid) == TM_Ok ? Attempt::taken : Attempt::again;
  ItemPointerData const hole = relations.insert_hole(hit.id);
  Hit const now = find_again(relations, store, key, hit.statement);
  bool const unclaimed = now.any && now.id == hit.id && !of_another(now) && !TransactionIdIsValid(now.changing) &&
                         now.state != PackState::running && !now.in_doubt;
  if (unclaimed) return Attempt::taken;
  // Claimed, or done, before it could see our hole.
  remove_version(relations.holes(), hole);
  return Attempt::again;
}

// Until it is settled what becomes of the delete in this statement's packs.
Attempt take_back_of_statement(PackRelations& relations, std::string_view store, std::string_view key, Hit hit) {
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    if (!hit.any) return Attempt::none;
    Attempt const attempt = take_back_hit(relations, store, key, hit);
    if (attempt != Attempt::again) return attempt;
    hit = find_again(relations, store, key, hit.statement);
  }
}

}  // namespace

void PackTable::insert(const NewPacks& packs, std::span<const std::string_view> keys) {
  std::size_t longest = 0;
  for (std::string_view const key : keys) longest = std::max(longest, key.size());
  std::size_t const room = kMostOctets - std::min(kMostOctets / 2, longest + packs.store.size() + packs.reason.size());
  constexpr std::size_t kPacksAtOnce = 128;
  std::vector<Pack> rows;
  std::int64_t id = packs.first_id;
  auto const write = [&] {
    pg::call([&] { relations_.insert(rows); });
    rows.clear();
  };
  for (std::size_t first = 0; first < keys.size();) {
    Pack& pack = rows.emplace_back();
    pack.keys.reserve(kMostOctets);
    std::size_t const count = front_code(keys.subspan(first), room, pack.keys);
    pack.id = id;
    pack.enqueued_at = packs.enqueued_at;
    pack.not_before = packs.not_before;
    pack.statement = packs.first_id;
    pack.key_count = static_cast<int>(count);
    pack.store = packs.store;
    pack.range_end = keys[first + count - 1];
    pack.reason = packs.reason;
    first += count;
    id += static_cast<std::int64_t>(count);
    if (rows.size() == kPacksAtOnce) write();
  }
  if (!rows.empty()) write();
}

int PackTable::statements(std::string_view store, int limit) {
  if (empty()) return 0;
  return pg::call([&] {
    int count = 0;
    KeysScan scan(relations_, store);
    for (std::int64_t from = PG_INT64_MIN; count < limit && scan.find_statement(from); count++) {
      from = scan.statement() + 1;
    }
    scan.end();
    return count;
  });
}

TakenBack PackTable::take_back(std::string_view store, std::string_view key, std::int64_t except_statement) {
  return pg::call([&] {
    TakenBack result = TakenBack::none;
    for_each_hit(relations_, store, key, [&](const Hit& hit) {
      if (hit.statement == except_statement) return false;
      switch (take_back_of_statement(relations_, store, key, hit)) {
        case Attempt::taken: result = TakenBack::taken; break;
        case Attempt::running: result = TakenBack::running; break;
        case Attempt::in_doubt: result = TakenBack::in_doubt; break;
        case Attempt::none:
        case Attempt::again: break;
      }
      return result == TakenBack::running || result == TakenBack::in_doubt;
    });
    return result;
  });
}

std::vector<std::size_t> PackTable::among(std::string_view store, std::span<const std::string_view> keys,
                                          std::int64_t except_statement) {
  std::vector<std::size_t> found;
  std::vector<std::int64_t> holes;
  pg::call([&] {
    KeysScan scan(relations_, store);
    // Again where it met dead rows, as find_in_statement().
    for (int before = -1, dead = 0; dead > before;) {
      before = std::exchange(dead, 0);
      for (std::int64_t statement = PG_INT64_MIN; scan.find_statement(statement); statement++) {
        statement = scan.statement();
        if (statement != except_statement) dead += intersect(relations_, scan, keys, holes, found);
      }
    }
    scan.end();
  });
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

void PackTable::drop(std::int64_t id) {
  pg::call([&] { relations_.insert_hole(id); });
}

std::optional<std::int64_t> PackTable::find(std::string_view store, std::string_view key) {
  std::int64_t id = 0;
  pg::call([&] {
    for_each_hit(relations_, store, key, [&](const Hit& hit) {
      if (of_another(hit) || hole_at(relations_, hit.id) == Hole::certain) return false;
      id = hit.id;
      return true;
    });
  });
  return id != 0 ? std::optional(id) : std::nullopt;
}

bool PackTable::any_before(std::string_view store, std::string_view key, std::int64_t id) {
  return pg::call([&] {
    bool any = false;
    for_each_hit(relations_, store, key, [&](const Hit& hit) {
      any = !of_another(hit) && hit.id < id && hit.state != PackState::dead &&
            hole_at(relations_, hit.id) != Hole::certain;
      return any;
    });
    return any;
  });
}

}  // namespace audiostore::outbox
