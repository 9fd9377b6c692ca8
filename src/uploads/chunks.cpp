// create_audio_chunks(): reads and checks its arguments, locks the upload, and writes the chunks. The lock on the
// upload's row is what makes a second caller wait and then find the first one's chunks.
#include "pg/arguments.hpp"
#include "pg/guard.hpp"
#include "uploads/chunk_plan.hpp"
#include "uploads/chunk_rows.hpp"

namespace audiostore::uploads {
namespace {

std::string text_of(Numeric value) {
  return pg::call([&] { return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value))); });
}

std::string text_of(const pg_uuid_t& value) {
  return pg::call([&] { return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&value))); });
}

bool less(Numeric value, std::int64_t milliseconds) {
  return pg::call([&] {
    auto* const bound = int64_div_fast_to_numeric(milliseconds, 3);
    return DatumGetBool(DirectFunctionCall2(numeric_lt, NumericGetDatum(value), NumericGetDatum(bound)));
  });
}

// Whole milliseconds, rounded as a cast to numeric(10,3) does.
std::int64_t milliseconds(Numeric seconds) {
  return pg::call([&] {
    Datum const rounded = DirectFunctionCall2(numeric_round, NumericGetDatum(seconds), Int32GetDatum(3));
    Datum const thousand = NumericGetDatum(int64_to_numeric(1000));
    return DatumGetInt64(DirectFunctionCall1(numeric_int8, DirectFunctionCall2(numeric_mul, rounded, thousand)));
  });
}

// A duration in seconds as positive whole milliseconds; `what` names it in errors.
std::int64_t positive_milliseconds(const pg::Arguments& arguments, int index, const char* what) {
  auto* const value = [&] {
    Datum const datum = arguments.datum(index, what);
    return pg::call([&] { return DatumGetNumeric(datum); });
  }();
  std::string const name(what);
  if (numeric_is_nan(value) || numeric_is_inf(value)) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, name + " must be a finite number of seconds",
                       "It is " + text_of(value) + ".");
  }
  if (less(value, 1)) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, name + " must be at least one millisecond",
                       "It is " + text_of(value) + " seconds.");
  }
  // Compared before rounding, so that no number is too large for what follows.
  if (!less(value, 2 * kLongestMilliseconds) || milliseconds(value) > kLongestMilliseconds) {
    throw pg::SqlError(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, name + " is out of range",
                       "It must be less than 10000000 seconds, as numeric(10,3) holds it.",
                       "Durations are given in seconds, not in milliseconds.");
  }
  return milliseconds(value);
}

Oid find_table(const char* name) {
  Oid const table = pg::call([&] {
    Oid const schema = get_namespace_oid("audiostore", true);
    Oid const found = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
    return OidIsValid(found) && get_rel_relkind(found) == RELKIND_RELATION ? found : InvalidOid;
  });
  if (OidIsValid(table)) return table;
  throw pg::SqlError(ERRCODE_UNDEFINED_TABLE, "table \"audiostore." + std::string(name) + "\" does not exist", {},
                     "It is part of the extension audiostore.");
}

// As for INSERT INTO audio_chunks; nothing is asked for audio_uploads, like for a foreign key.
void check_privileges(Oid chunks) {
  constexpr const char* kWritten[] = {"upload_id", "chunk_index", "total_chunks",   "start_time",
                                      "end_time",  "duration",    "chunk_filename", "status"};
  pg::call([&] {
    if (pg_class_aclcheck(chunks, GetUserId(), ACL_INSERT) == ACLCHECK_OK) return;
    for (auto const* column : kWritten) {
      AclResult const result = pg_attribute_aclcheck(chunks, get_attnum(chunks, column), GetUserId(), ACL_INSERT);
      if (result != ACLCHECK_OK) aclcheck_error(result, OBJECT_TABLE, "audio_chunks");
    }
  });
}

enum class Lock { done, absent, moved };

// Inside pg::call. An equality scan on one uuid column with what is committed now and what we did ourselves.
template <class Use>
bool scan_latest(Relation table, const char* column, const pg_uuid_t& value, Use&& use) {
  // The first index with this column in front; a scan without one works too, only slower.
  AttrNumber const number = get_attnum(RelationGetRelid(table), column);
  if (number <= 0) {
    ereport(ERROR, errcode(ERRCODE_UNDEFINED_COLUMN),
            errmsg("column \"%s\" of relation \"%s\" does not exist", column, RelationGetRelationName(table)));
  }
  Oid index = InvalidOid;
  ListCell* cell = nullptr;
  foreach (cell, RelationGetIndexList(table)) {
    auto* const candidate = index_open(lfirst_oid(cell), AccessShareLock);
    auto* const form = candidate->rd_index;
    if (form->indisvalid && form->indisunique && !form->indcheckxmin && form->indkey.values[0] == number &&
        candidate->rd_rel->relam == BTREE_AM_OID && RelationGetIndexPredicate(candidate) == NIL) {
      index = RelationGetRelid(candidate);
    }
    index_close(candidate, NoLock);
    if (OidIsValid(index)) break;
  }
  auto* const snapshot = RegisterSnapshot(GetLatestSnapshot());
  TupleTableSlot* const slot = table_slot_create(table, nullptr);
  ScanKeyData key;
  bool found = false;
  if (OidIsValid(index)) {
    auto* const opened = index_open(index, NoLock);
    ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&value));
    auto* const scan = pg::begin_index_scan(table, opened, snapshot, 1);
    index_rescan(scan, &key, 1, nullptr, 0);
    found = index_getnext_slot(scan, ForwardScanDirection, slot);
    if (found) use(slot);
    index_endscan(scan);
    index_close(opened, NoLock);
  } else {
    ScanKeyInit(&key, number, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&value));
    auto* const scan = table_beginscan(table, snapshot, 1, &key);
    found = table_scan_getnextslot(scan, ForwardScanDirection, slot);
    if (found) use(slot);
    table_endscan(scan);
  }
  ExecDropSingleTupleTableSlot(slot);
  UnregisterSnapshot(snapshot);
  return found;
}

// Inside pg::call: locks the row as FOR NO KEY UPDATE does, in its latest version, and reads its store.
Lock lock_once(Relation uploads, const pg_uuid_t& upload, NullableDatum* store) {
  ItemPointerData position;
  if (!scan_latest(uploads, "id", upload, [&](TupleTableSlot* slot) { position = slot->tts_tid; })) return Lock::absent;
  auto* const snapshot = RegisterSnapshot(GetLatestSnapshot());
  TupleTableSlot* const slot = table_slot_create(uploads, nullptr);
  TM_FailureData failure;
  TM_Result const result =
      table_tuple_lock(uploads, &position, snapshot, slot, GetCurrentCommandId(false), LockTupleNoKeyExclusive,
                       LockWaitBlock, TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure);
  if (result == TM_Ok) {
    AttrNumber const number = get_attnum(RelationGetRelid(uploads), "store");
    store->isnull = true;
    if (number > 0 && TupleDescAttr(RelationGetDescr(uploads), number - 1)->atttypid == TEXTOID) {
      Datum const value = slot_getattr(slot, number, &store->isnull);
      if (!store->isnull) store->value = datumCopy(value, false, -1);
    }
  }
  ExecDropSingleTupleTableSlot(slot);
  UnregisterSnapshot(snapshot);
  switch (result) {
    case TM_Ok: return Lock::done;
    case TM_Deleted: return Lock::absent;
    case TM_Updated: return Lock::moved;
    default: break;
  }
  elog(ERROR, "unexpected result %d of locking a row of audio_uploads", static_cast<int>(result));
  return Lock::absent;
}

NullableDatum lock_upload(Oid table, const pg_uuid_t& upload) {
  struct Locked {
    NullableDatum store;
    bool found;
  };
  Locked const locked = pg::call([&] {
    Locked outcome{.store = {.value = Datum{0}, .isnull = true}, .found = false};
    auto* const uploads = table_open(table, RowShareLock);
    Lock state = Lock::moved;
    while (state == Lock::moved) {
      CHECK_FOR_INTERRUPTS();
      state = lock_once(uploads, upload, &outcome.store);
    }
    table_close(uploads, NoLock);
    outcome.found = state == Lock::done;
    return outcome;
  });
  if (!locked.found) {
    throw pg::SqlError(ERRCODE_FOREIGN_KEY_VIOLATION, "upload \"" + text_of(upload) + "\" does not exist",
                       "There is no such row in audiostore.audio_uploads.", "Insert the upload first.");
  }
  return locked.store;
}

void check_no_chunks(Oid table, const pg_uuid_t& upload) {
  bool const found = pg::call([&] {
    auto* const chunks = table_open(table, RowExclusiveLock);
    bool const any = scan_latest(chunks, "upload_id", upload, [](TupleTableSlot*) {});
    table_close(chunks, NoLock);
    return any;
  });
  if (!found) return;
  std::string const name = text_of(upload);
  throw pg::SqlError(ERRCODE_UNIQUE_VIOLATION, "upload \"" + name + "\" has chunks already",
                     "They were left as they are.",
                     "To cut it anew, first DELETE FROM audiostore.audio_chunks WHERE upload_id = '" + name + "'.");
}

Datum create_audio_chunks(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  pg_uuid_t const upload = *DatumGetUUIDP(arguments.datum(0, "upload_id"));
  std::int64_t const duration = positive_milliseconds(arguments, 1, "file_duration");
  std::int64_t const length = positive_milliseconds(arguments, 2, "max_chunk_duration");
  std::optional<ChunkPlan> const plan = plan_chunks(duration, length);
  if (!plan) {
    throw pg::SqlError(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "too many chunks",
                       "The upload would have more than 2147483647 of them.", "Make max_chunk_duration larger.");
  }
  Oid const uploads = find_table("audio_uploads");
  Oid const chunks = find_table("audio_chunks");
  check_privileges(chunks);
  pg::call([] {
    PreventCommandIfReadOnly("create_audio_chunks()");
    PreventCommandIfParallelMode("create_audio_chunks()");
    // So that an upload which the calling statement itself has inserted is there.
    CommandCounterIncrement();
  });
  NullableDatum const store = lock_upload(uploads, upload);
  check_no_chunks(chunks, upload);
  ChunkRows const rows{.table = chunks, .uploads = uploads, .upload = upload, .store = store, .plan = *plan};
  if (!insert_directly(rows)) insert_by_statement(rows);
  pg::call([] { CommandCounterIncrement(); });
  return Int32GetDatum(plan->count);
}

}  // namespace
}  // namespace audiostore::uploads

AUDIOSTORE_FUNCTION(create_audio_chunks, audiostore::uploads::create_audio_chunks)
