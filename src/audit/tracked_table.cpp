#include "audit/tracked_table.hpp"

#include "base/hash.hpp"
#include "pg/datum.hpp"

namespace audiostore::audit {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Empty when these are not 64 hexadecimal digits.
std::string octets_of(std::string_view digits) {
  constexpr std::size_t kDigest = std::tuple_size_v<Sha256Digest>;
  if (digits.size() != 2 * kDigest) return {};
  std::string octets;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    int const high = hex_digit(digits[i]);
    int const low = hex_digit(digits[i + 1]);
    if (high < 0 || low < 0) return {};
    octets += static_cast<char>(high * 16 + low);
  }
  return octets;
}

bool ordered_by_octets(Relation index) {
  bool const patterns = index->rd_opfamily[0] == TEXT_PATTERN_BTREE_FAM_OID;
  return index->rd_rel->relam == BTREE_AM_OID && index->rd_opcintype[0] == TEXTOID && index->rd_indoption[0] == 0 &&
         (patterns || pg::is_c_collation(index->rd_indcollation[0]));
}

// Inside pg::call.
Datum text_datum(std::string_view text) {
  return PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size())));
}

}  // namespace

TrackedTable::~TrackedTable() {
  // While an error unwinds, the abort that follows gives everything back.
  if (pg::PgError::any_alive()) return;
  if (slot_ != nullptr) ExecDropSingleTupleTableSlot(slot_);
  if (ordered_ != nullptr) index_close(ordered_, NoLock);
  if (equality_ != nullptr) index_close(equality_, NoLock);
  if (table_ != nullptr) table_close(table_, NoLock);
}

// Kept to the end of the transaction, which is short.
bool TrackedTable::lock(Oid relation, Waiting waiting) {
  return pg::call([&] {
    if (waiting == Waiting::no) return ConditionalLockRelationOid(relation, AccessShareLock);
    LockRelationOid(relation, AccessShareLock);
    return true;
  });
}

Relation TrackedTable::open_index(Oid index, Waiting waiting) {
  if (!OidIsValid(index) || !lock(index, waiting)) return nullptr;
  return pg::call([index]() -> Relation {
    if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(index))) return nullptr;
    return index_open(index, NoLock);
  });
}

AttrNumber TrackedTable::attribute(const std::string& name) const {
  if (name.empty()) return InvalidAttrNumber;
  return pg::call([&] { return get_attnum(source_.relation, name.c_str()); });
}

Oid TrackedTable::find_ordered_index() const {
  return pg::call([this] {
    Oid found = InvalidOid;
    List* const indexes = RelationGetIndexList(table_);
    ListCell* cell = nullptr;
    foreach (cell, indexes) {
      Oid const candidate = lfirst_oid(cell);
      if (OidIsValid(found) || !ConditionalLockRelationOid(candidate, AccessShareLock)) continue;
      Relation const index = try_relation_open(candidate, NoLock);
      if (index == nullptr) continue;
      Form_pg_index const form = index->rd_index;
      bool const usable = form->indisvalid && form->indisready && form->indislive &&
                          form->indkey.values[0] == compiled_->key &&
                          heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, nullptr);
      if (usable && ordered_by_octets(index)) found = candidate;
      relation_close(index, NoLock);
    }
    list_free(indexes);
    return found;
  });
}

TrackedTable::State TrackedTable::open(Waiting waiting) {
  if (!lock(source_.relation, waiting)) return State::busy;
  if (!pg::call([this] { return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(source_.relation)); })) {
    return State::gone;
  }
  table_ = pg::call([this] { return table_open(source_.relation, NoLock); });
  tracking::TrackedColumn const& column = *source_.tracking->column;
  compiled_ = &source_.tracking->compile(table_);
  size_ = attribute(column.size_column);
  checksum_ = attribute(column.checksum_column);
  equality_ = open_index(compiled_->index, waiting);
  ordered_ = open_index(find_ordered_index(), waiting);
  reader_.emplace(column, *compiled_);
  slot_ = pg::call([this] { return table_slot_create(table_, nullptr); });
  return State::open;
}

std::optional<std::int64_t> TrackedTable::size_of_row() const {
  if (size_ == InvalidAttrNumber) return std::nullopt;
  bool null = false;
  Datum const value = slot_getattr(slot_, size_, &null);
  if (null) return std::nullopt;
  switch (TupleDescAttr(slot_->tts_tupleDescriptor, size_ - 1)->attlen) {
    case 2: return DatumGetInt16(value);
    case 4: return DatumGetInt32(value);
    default: return DatumGetInt64(value);
  }
}

std::string TrackedTable::checksum_of_row() const {
  bool null = false;
  Datum const value = slot_getattr(slot_, checksum_, &null);
  if (null) return {};
  std::string_view const stated = pg::view(value);
  Oid const type = getBaseType(TupleDescAttr(slot_->tts_tupleDescriptor, checksum_ - 1)->atttypid);
  if (type != BYTEAOID) return octets_of(stated);
  return stated.size() == std::tuple_size_v<Sha256Digest> ? std::string(stated) : std::string();
}

bool TrackedTable::read(FoundRow& found, tracking::LiveKey& live) {
  live = {};
  if (!reader_->read_in_backend(slot_, live) || live.store != store_) return false;
  bool null = false;
  found.key = live.key;
  found.tid = slot_->tts_tid;
  found.xmin = DatumGetTransactionId(slot_getsysattr(slot_, MinTransactionIdAttributeNumber, &null));
  found.size = size_of_row();
  found.checksum.clear();
  if (checksums_wanted_ && states_checksums()) found.checksum = checksum_of_row();
  return true;
}

ScanKeyData TrackedTable::condition(Relation index, StrategyNumber strategy, Datum key) const {
  ScanKeyData entry;
  Oid const type = index->rd_opcintype[0];
  Oid const comparison = get_opfamily_member(index->rd_opfamily[0], type, type, static_cast<int16>(strategy));
  ScanKeyEntryInitialize(&entry, 0, 1, strategy, InvalidOid, index->rd_indcollation[0], get_opcode(comparison), key);
  return entry;
}

void TrackedTable::walk(const KeySpan& span, Snapshot snapshot, const RowSink& sink) {
  FoundRow found;
  tracking::LiveKey live;
  tracking::Reading const rights(*compiled_);
  pg::call([&] {
    IndexScanDesc const scan = pg::begin_index_scan(table_, ordered_, snapshot, 1);
    bool const at_prefix = span.after < span.prefix;
    ScanKeyData above = condition(ordered_, at_prefix ? BTGreaterEqualStrategyNumber : BTGreaterStrategyNumber,
                                  text_datum(at_prefix ? span.prefix : span.after));
    index_rescan(scan, &above, 1, nullptr, 0);
    std::size_t rows = 0;
    while (index_getnext_slot(scan, ForwardScanDirection, slot_)) {
      if (++rows % 1024 == 0) CHECK_FOR_INTERRUPTS();
      bool const ours = read(found, live);
      if (!live.key.empty() && span.ends_before(live.key)) break;
      if (ours && !sink(found)) break;
    }
    ExecClearTuple(slot_);
    index_endscan(scan);
  });
}

void TrackedTable::look_up(std::span<const std::string> keys, Snapshot snapshot, const RowSink& sink) {
  if (equality_ == nullptr) {
    look_up_by_scan(keys, snapshot, sink);
    return;
  }
  FoundRow found;
  tracking::LiveKey live;
  tracking::Reading const rights(*compiled_);
  pg::call([&] {
    IndexScanDesc const scan = pg::begin_index_scan(table_, equality_, snapshot, 1);
    bool const hash = equality_->rd_rel->relam == HASH_AM_OID;
    for (std::string const& key : keys) {
      CHECK_FOR_INTERRUPTS();
      Datum const text = text_datum(key);
      ScanKeyData equal = condition(equality_, hash ? HTEqualStrategyNumber : BTEqualStrategyNumber, text);
      index_rescan(scan, &equal, 1, nullptr, 0);
      while (index_getnext_slot(scan, ForwardScanDirection, slot_)) {
        if (read(found, live) && found.key == key && !sink(found)) break;
      }
      pfree(DatumGetPointer(text));
    }
    ExecClearTuple(slot_);
    index_endscan(scan);
  });
}

// Without an index, as it was dropped behind our back: slow, and right.
void TrackedTable::look_up_by_scan(std::span<const std::string> keys, Snapshot snapshot, const RowSink& sink) {
  scan(0, blocks(), snapshot, [&](const FoundRow& row) {
    return !std::binary_search(keys.begin(), keys.end(), row.key) || sink(row);
  });
}

BlockNumber TrackedTable::blocks() const {
  return pg::call([this] { return RelationGetNumberOfBlocks(table_); });
}

void TrackedTable::scan(BlockNumber first, BlockNumber count, Snapshot snapshot, const RowSink& sink) {
  if (count == 0) return;
  FoundRow found;
  tracking::LiveKey live;
  tracking::Reading const rights(*compiled_);
  pg::call([&] {
    ItemPointerData from;
    ItemPointerData to;
    ItemPointerSet(&from, first, FirstOffsetNumber);
    ItemPointerSet(&to, first + count - 1, MaxOffsetNumber);
    TableScanDesc const scan = table_beginscan_tidrange(table_, snapshot, &from, &to);
    while (table_scan_getnextslot_tidrange(scan, ForwardScanDirection, slot_)) {
      CHECK_FOR_INTERRUPTS();
      if (read(found, live) && !sink(found)) break;
    }
    ExecClearTuple(slot_);
    table_endscan(scan);
  });
}

}  // namespace audiostore::audit
