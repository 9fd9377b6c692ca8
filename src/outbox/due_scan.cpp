#include "outbox/due_scan.hpp"

namespace audiostore::outbox {

IndexScanDesc begin_due_scan(Relation heap, Relation index, Snapshot snapshot, const DueRows& due) {
  Datum const store =
      PointerGetDatum(cstring_to_text_with_len(due.store.data(), static_cast<int>(due.store.size())));
  auto* const after = static_cast<ScanKey>(palloc0(sizeof(ScanKeyData) * 2));
  ScanKeyEntryInitialize(&after[0], SK_ROW_MEMBER, 2, BTGreaterStrategyNumber, TIMESTAMPTZOID, InvalidOid,
                         F_TIMESTAMPTZ_CMP, TimestampTzGetDatum(due.after.not_before));
  ScanKeyEntryInitialize(&after[1], SK_ROW_MEMBER | SK_ROW_END, 3, BTGreaterStrategyNumber, INT8OID, InvalidOid,
                         F_BTINT8CMP, Int64GetDatum(due.after.id));
  ScanKeyData keys[3];
  ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, TEXTOID, C_COLLATION_OID, F_TEXTEQ, store);
  keys[1] = {};
  keys[1].sk_flags = SK_ROW_HEADER;
  keys[1].sk_attno = after[0].sk_attno;
  keys[1].sk_strategy = BTGreaterStrategyNumber;
  keys[1].sk_argument = PointerGetDatum(after);
  ScanKeyEntryInitialize(&keys[2], 0, 2, BTLessEqualStrategyNumber, TIMESTAMPTZOID, InvalidOid, F_TIMESTAMPTZ_LE,
                         TimestampTzGetDatum(due.now));
  IndexScanDesc const scan = pg::begin_index_scan(heap, index, snapshot, 3);
  index_rescan(scan, keys, 3, nullptr, 0);
  return scan;
}

}  // namespace audiostore::outbox
