// The fields are four and eight bytes, aligned, so whoever reads the page meanwhile, or writes it out, sees the old or
// the new value and nothing in between; that is what makes hint bits safe, and this as well.
#include "cache/hits.hpp"

#include <vector>

namespace audiostore::cache {
namespace {

// Where an attribute's value lies in the tuple; null when it is NULL.
char* field(HeapTuple tuple, TupleDesc shape, AttrNumber number) {
  char* const data = reinterpret_cast<char*>(tuple->t_data) + tuple->t_data->t_hoff;
  std::uint32_t offset = 0;
  for (int i = 0; i < number; i++) {
    Form_pg_attribute const attribute = TupleDescAttr(shape, i);
    if (HeapTupleHasNulls(tuple) && att_isnull(i, tuple->t_data->t_bits)) {
      if (i + 1 == number) return nullptr;
      continue;
    }
    offset = att_align_pointer(offset, attribute->attalign, attribute->attlen, data + offset);
    if (i + 1 == number) break;
    offset = att_addlength_pointer(offset, attribute->attlen, data + offset);
  }
  return data + offset;
}

bool is_row_of(HeapTuple tuple, TupleDesc shape, std::uint32_t tag) {
  bool null = false;
  Datum const key = heap_getattr(tuple, column::cache_key, shape, &null);
  if (null) return false;
  auto* const text = reinterpret_cast<struct varlena*>(DatumGetPointer(key));
  if (VARATT_IS_EXTERNAL(text) || VARATT_IS_COMPRESSED(text)) return false;
  return tag_of(hash_of({VARDATA_ANY(text), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(text))})) == tag;
}

void add_to(HeapTuple tuple, TupleDesc shape, std::uint32_t count, TimestampTz last) {
  auto* const hits = reinterpret_cast<std::int32_t*>(field(tuple, shape, column::hit_count));
  auto* const accessed = reinterpret_cast<TimestampTz*>(field(tuple, shape, column::last_accessed_at));
  if (hits != nullptr) {
    std::int64_t const sum = std::int64_t{*hits} + count;
    *hits = static_cast<std::int32_t>(std::min<std::int64_t>(sum, INT32_MAX));
  }
  if (accessed != nullptr) *accessed = std::max(*accessed, last);
}

bool fold(const Hit& hit) {
  int const segment = static_cast<int>(hit.where >> 48) - 1;
  auto const block = static_cast<BlockNumber>(hit.where >> 16);
  auto const offset = static_cast<OffsetNumber>(hit.where);
  Oid const oid = relations().heaps[segment];
  if (!ConditionalLockRelationOid(oid, AccessShareLock)) return false;
  Relation const heap = table_open(oid, NoLock);
  bool done = false;
  if (block < RelationGetNumberOfBlocks(heap)) {
    ItemPointerData tid;
    ItemPointerSet(&tid, block, offset);
    done = add_hits(heap, tid, hit.tag, hit.count, hit.last);
  }
  table_close(heap, NoLock);
  return done;
}

}  // namespace

bool add_hits(Relation heap, ItemPointerData tid, std::uint32_t tag, std::uint32_t count, TimestampTz last) {
  Buffer const buffer = ReadBuffer(heap, ItemPointerGetBlockNumber(&tid));
  LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
  Page const page = BufferGetPage(buffer);
  OffsetNumber const offset = ItemPointerGetOffsetNumber(&tid);
  bool done = false;
  if (!PageIsNew(page) && offset <= PageGetMaxOffsetNumber(page) && ItemIdIsNormal(PageGetItemId(page, offset))) {
    HeapTupleData tuple;
    tuple.t_tableOid = RelationGetRelid(heap);
    tuple.t_self = tid;
    tuple.t_data = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, PageGetItemId(page, offset)));
    tuple.t_len = ItemIdGetLength(PageGetItemId(page, offset));
    TupleDesc const shape = RelationGetDescr(heap);
    if (is_row_of(&tuple, shape, tag)) {
      add_to(&tuple, shape, count, last);
      MarkBufferDirtyHint(buffer, true);
      done = true;
    }
  }
  UnlockReleaseBuffer(buffer);
  return done;
}

void count_hit(int segment, Relation heap, const ItemPointerData& tid, std::uint64_t hash, TimestampTz at) {
  bool const sampled = count(Counted::hits);
  if (SharedCache* const shared = relations().shared) {
    note_hit(*shared, where(segment, tid), tag_of(hash), at);
  } else if (sampled && !RecoveryInProgress()) {
    add_hits(heap, tid, tag_of(hash), kSampled, at);
  }
}

std::int64_t fold_hits() {
  SharedCache* const shared = relations().shared;
  if (shared == nullptr || RecoveryInProgress()) return 0;
  std::int64_t rows = 0;
  for (int part = 0; part >= 0;) {
    Hit hits[kHitsInPart];
    part = take_hits(*shared, part, hits);
    for (const Hit& hit : hits) {
      if (hit.where == 0) continue;
      if (pg::call([&] { return fold(hit); })) rows++;
    }
  }
  return rows;
}

}  // namespace audiostore::cache
