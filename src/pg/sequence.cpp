// The page is changed and logged as setval() does it, under the lock that nextval() takes.
#include "pg/sequence.hpp"

namespace audiostore::pg {

std::int64_t take_from_sequence(Oid sequence, std::int64_t count) {
  Relation const relation = relation_open(sequence, RowExclusiveLock);
  // Makes the commit wait for the log, as nextval() does.
  if (RelationNeedsWAL(relation)) GetTopTransactionId();
  Buffer const buffer = ReadBuffer(relation, 0);
  LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
  Page const page = BufferGetPage(buffer);
  ItemId const item = PageGetItemId(page, FirstOffsetNumber);
  auto* const tuple = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, item));
  auto* const data = reinterpret_cast<Form_pg_sequence_data>(reinterpret_cast<char*>(tuple) + tuple->t_hoff);
  std::int64_t const first = data->is_called ? data->last_value + 1 : data->last_value;
  std::int64_t last = 0;
  if (__builtin_add_overflow(first, count - 1, &last)) {
    UnlockReleaseBuffer(buffer);
    ereport(ERROR, errcode(ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED),
            errmsg("reached maximum value of sequence \"%s\"", RelationGetRelationName(relation)));
  }
  START_CRIT_SECTION();
  data->last_value = last;
  data->is_called = true;
  data->log_cnt = 0;
  MarkBufferDirty(buffer);
  if (RelationNeedsWAL(relation)) {
    xl_seq_rec record;
    set_file(record, relation);
    XLogBeginInsert();
    XLogRegisterBuffer(0, buffer, REGBUF_WILL_INIT);
    XLogRegisterData(reinterpret_cast<char*>(&record), sizeof(record));
    XLogRegisterData(reinterpret_cast<char*>(tuple), ItemIdGetLength(item));
    XLogRecPtr const end = XLogInsert(RM_SEQ_ID, XLOG_SEQ_LOG);
    PageSetLSN(page, end);  // a macro that uses it twice
  }
  END_CRIT_SECTION();
  UnlockReleaseBuffer(buffer);
  relation_close(relation, NoLock);
  return first;
}

}  // namespace audiostore::pg
