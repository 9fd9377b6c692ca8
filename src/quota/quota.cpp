// check_storage_quota() and reservation_fits(): one probe of the primary key of storage_quotas, without SPI or a plan.
// What is found out once (relation, index, attribute numbers) is kept until a relcache invalidation names one of them;
// what must be given back (references, snapshots, pins) is held for the length of one call only, so errors, DDL and
// nested calls have nothing to tidy up.
#include "pg/arguments.hpp"
#include "pg/guard.hpp"

namespace audiostore::quota {
namespace {

enum Column {
  workspace_id,
  max_storage,
  max_files,
  max_file_size,
  current_storage,
  current_files,
  reserved_storage,
  reserved_files,
  kColumns
};
constexpr const char* kColumnNames[kColumns] = {"workspace_id",   "max_storage_bytes",     "max_file_count",
                                                "max_file_size",  "current_storage_bytes", "current_file_count",
                                                "reserved_bytes", "reserved_files"};
constexpr Oid kColumnTypes[kColumns] = {UUIDOID, INT8OID, INT4OID, INT8OID, INT8OID, INT4OID, INT8OID, INT4OID};

struct Table {
  Oid heap = InvalidOid;
  Oid index = InvalidOid;  // the primary key
  AttrNumber columns[kColumns] = {};
  AttrNumber last_column = 0;
};

Table known;

// The lock on the table is kept until the transaction ends, so within the same subtransaction it need not be asked for
// again: that is a third of a probe's time.
struct Locked {
  LocalTransactionId transaction = InvalidLocalTransactionId;
  SubTransactionId subtransaction = InvalidSubTransactionId;
  Oid heap = InvalidOid;
};

Locked locked;

void forget(Datum /*argument*/, Oid relation) {
  if (!OidIsValid(relation) || relation == known.heap || relation == known.index) known = Table{};
}

struct Row {
  std::int64_t values[kColumns];
  bool nulls[kColumns];
  bool found;
};

[[noreturn]] void report_damage(const char* what) {
  ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
          errmsg("%s of table \"audiostore.storage_quotas\" is missing or not what it was", what),
          errhint("The extension audiostore needs the table as CREATE EXTENSION made it."));
  pg_unreachable();
}

// Inside pg::call.
void find_table() {
  static bool registered = false;
  if (!registered) {
    CacheRegisterRelcacheCallback(forget, Datum{0});
    registered = true;
  }
  Oid const schema = get_namespace_oid("audiostore", true);
  Table found;
  if (OidIsValid(schema)) found.heap = get_relname_relid("storage_quotas", schema);
  if (!OidIsValid(found.heap) || get_rel_relkind(found.heap) != RELKIND_RELATION) {
    ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table \"audiostore.storage_quotas\" does not exist"),
            errhint("It is part of the extension audiostore."));
  }
  auto* const heap = table_open(found.heap, AccessShareLock);
  auto* const shape = RelationGetDescr(heap);
  for (int i = 0; i < kColumns; i++) {
    AttrNumber const number = get_attnum(found.heap, kColumnNames[i]);
    if (number <= 0 || TupleDescAttr(shape, number - 1)->atttypid != kColumnTypes[i]) {
      report_damage(psprintf("column \"%s\"", kColumnNames[i]));
    }
    found.columns[i] = number;
    found.last_column = std::max(found.last_column, number);
  }
  found.index = pg::primary_key_index(heap);
  if (!OidIsValid(found.index)) report_damage("the primary key");
  auto* const index = index_open(found.index, AccessShareLock);
  if (index->rd_index->indnkeyatts != 1 || index->rd_index->indkey.values[0] != found.columns[workspace_id]) {
    report_damage("the primary key");
  }
  index_close(index, NoLock);
  table_close(heap, NoLock);
  known = found;
}

// Inside pg::call: takes the locks where this (sub)transaction does not have them yet.
void lock_table() {
  LocalTransactionId const transaction = pg::local_transaction();
  SubTransactionId const subtransaction = GetCurrentSubTransactionId();
  bool const have = locked.transaction == transaction && locked.subtransaction == subtransaction;
  if (have && OidIsValid(known.heap) && locked.heap == known.heap) return;
  // Locking takes invalidations in, which may change what is known.
  for (;;) {
    if (!OidIsValid(known.heap)) find_table();
    Oid const heap = known.heap;
    Oid const index = known.index;
    LockRelationOid(heap, AccessShareLock);
    LockRelationOid(index, AccessShareLock);
    if (known.heap == heap && known.index == index) break;
    if (!OidIsValid(known.heap)) find_table();
  }
  locked = {transaction, subtransaction, known.heap};
}

void read_row(TupleTableSlot* slot, Row& row) {
  slot_getsomeattrs(slot, known.last_column);
  row.found = true;
  for (int i = workspace_id + 1; i < kColumns; i++) {
    int const attribute = known.columns[i] - 1;
    row.nulls[i] = slot->tts_isnull[attribute];
    Datum const value = slot->tts_values[attribute];
    row.values[i] = kColumnTypes[i] == INT8OID ? DatumGetInt64(value) : std::int64_t{DatumGetInt32(value)};
  }
}

// Inside pg::call.
Row find_row(Datum workspace) {
  lock_table();
  Row row{};
  auto* const snapshot = ActiveSnapshotSet() ? GetActiveSnapshot() : GetTransactionSnapshot();
  auto* const heap = table_open(known.heap, NoLock);
  auto* const index = index_open(known.index, NoLock);
  TupleTableSlot* const slot = table_slot_create(heap, nullptr);
  ScanKeyData key;
  // An index whose rows had other versions while it was built is not good for every snapshot.
  if (!index->rd_index->indcheckxmin) {
    ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_UUID_EQ, workspace);
    auto* const scan = pg::begin_index_scan(heap, index, snapshot, 1);
    index_rescan(scan, &key, 1, nullptr, 0);
    if (index_getnext_slot(scan, ForwardScanDirection, slot)) read_row(slot, row);
    index_endscan(scan);
  } else {
    ScanKeyInit(&key, known.columns[workspace_id], BTEqualStrategyNumber, F_UUID_EQ, workspace);
    auto* const scan = table_beginscan(heap, snapshot, 1, &key);
    if (table_scan_getnextslot(scan, ForwardScanDirection, slot)) read_row(slot, row);
    table_endscan(scan);
  }
  ExecDropSingleTupleTableSlot(slot);
  index_close(index, NoLock);
  table_close(heap, NoLock);
  return row;
}

// Whether what is in use, what is reserved and `more` together stay within the limit; NULL does not limit.
bool within(const Row& row, Column limit, Column used, Column reserved, std::int64_t more) {
  std::int64_t sum = 0;
  return row.nulls[limit] || (!__builtin_add_overflow(row.values[used], row.values[reserved], &sum) &&
                              !__builtin_add_overflow(sum, more, &sum) && sum <= row.values[limit]);
}

enum class Counted { no, as_reserved };

// Whether a file fits that is not counted yet, or that is one of the reserved ones.
bool fits(FunctionCallInfo info, Counted counted) {
  pg::Arguments const arguments(info);
  Datum const workspace = arguments.datum(0, "workspace_id");
  std::int64_t const size = arguments.bigint(1, "file_size");
  if (size < 0) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "file_size must not be negative",
                       "It is " + std::to_string(size) + ".");
  }
  Row const row = pg::call([&] { return find_row(workspace); });
  bool const add = counted == Counted::no;
  return !row.found || (within(row, max_storage, current_storage, reserved_storage, add ? size : 0) &&
                        within(row, max_files, current_files, reserved_files, add ? 1 : 0) &&
                        (row.nulls[max_file_size] || size <= row.values[max_file_size]));
}

Datum check_storage_quota(FunctionCallInfo info) { return BoolGetDatum(fits(info, Counted::no)); }

Datum reservation_fits(FunctionCallInfo info) { return BoolGetDatum(fits(info, Counted::as_reserved)); }

}  // namespace
}  // namespace audiostore::quota

AUDIOSTORE_FUNCTION(check_storage_quota, audiostore::quota::check_storage_quota)
AUDIOSTORE_FUNCTION(reservation_fits, audiostore::quota::reservation_fits)
