// The direct way follows CopyFrom() of PostgreSQL's copyfrom.c step by step. Two things differ. Identifiers are drawn
// in bulk and sorted, so that the primary key's pages are filled from left to right. And the foreign key to
// audio_uploads is not checked again for each row: the caller holds a lock on that very row until the transaction
// ends, so nobody can take it away; if this transaction itself does so later, ON DELETE CASCADE takes the chunks along.
#include "uploads/chunk_rows.hpp"

#include <array>

#include "pg/guard.hpp"
#include "pg/settings.hpp"

namespace audiostore::uploads {
namespace {

constexpr int kRowsAtOnce = 1000;
constexpr int kIdsAtOnce = 64 * kRowsAtOnce;

enum Column {
  id,
  upload_id,
  chunk_index,
  total_chunks,
  start_time,
  end_time,
  duration,
  filename,
  status,
  store,
  kColumns
};

struct ColumnShape {
  const char* name;
  Oid type;
  Oid other_type;
};
constexpr std::array<ColumnShape, kColumns> kShape{{{"id", UUIDOID, UUIDOID},
                                                    {"upload_id", UUIDOID, UUIDOID},
                                                    {"chunk_index", INT4OID, INT4OID},
                                                    {"total_chunks", INT4OID, INT4OID},
                                                    {"start_time", NUMERICOID, NUMERICOID},
                                                    {"end_time", NUMERICOID, NUMERICOID},
                                                    {"duration", NUMERICOID, NUMERICOID},
                                                    {"chunk_filename", VARCHAROID, TEXTOID},
                                                    {"status", VARCHAROID, TEXTOID},
                                                    {"store", TEXTOID, VARCHAROID}}};

// Everything below runs inside one pg::call: plain structs, no destructors.

// The function that is the whole of a column's default; invalid when the default is anything else, or none.
Oid default_function(Relation table, AttrNumber column, bool* has_default) {
  *has_default = false;
  TupleConstr const* constraints = RelationGetDescr(table)->constr;
  if (constraints == nullptr) return InvalidOid;
  for (int i = 0; i < constraints->num_defval; i++) {
    if (constraints->defval[i].adnum != column) continue;
    *has_default = true;
    auto* expression = static_cast<Node*>(stringToNode(constraints->defval[i].adbin));
    return IsA(expression, FuncExpr) ? reinterpret_cast<FuncExpr*>(expression)->funcid : InvalidOid;
  }
  return InvalidOid;
}

bool is_default_store(Oid function) {
  if (!OidIsValid(function) || get_func_namespace(function) != get_namespace_oid("audiostore", true)) return false;
  return std::strcmp(get_func_name(function), "default_store") == 0;
}

bool is_our_foreign_key(Relation table, const Trigger& trigger, const ChunkRows& rows, AttrNumber column) {
  if (trigger.tgfoid != F_RI_FKEY_CHECK_INS || trigger.tgconstrrelid != rows.uploads) return false;
  ListCell* cell = nullptr;
  foreach (cell, RelationGetFKeyList(table)) {
    auto const& key = *static_cast<ForeignKeyCacheInfo*>(lfirst(cell));
    if (key.conoid != trigger.tgconstraint) continue;
    return key.nkeys == 1 && key.conkey[0] == column && key.confkey[0] == get_attnum(rows.uploads, "id");
  }
  return false;
}

struct Insertion {
  const ChunkRows& rows;
  Relation table;
  AttrNumber columns[kColumns];
  bool fills_store;  // the column's default is the function default_store()

  // Finds the columns; false when the table is not what the direct way knows how to fill.
  bool suits() {
    auto* const shape = RelationGetDescr(table);
    TriggerDesc const* triggers = table->trigdesc;
    if (table->rd_rel->relkind != RELKIND_RELATION || table->rd_rules != nullptr) return false;
    if (triggers != nullptr && (triggers->trig_insert_before_row || triggers->trig_insert_instead_row)) return false;
    if (check_enable_rls(rows.table, InvalidOid, true) == RLS_ENABLED) return false;
    for (int i = 0; i < kColumns; i++) {
      columns[i] = get_attnum(rows.table, kShape[i].name);
      if (columns[i] <= 0) return false;
      Oid const type = TupleDescAttr(shape, columns[i] - 1)->atttypid;
      if (type != kShape[i].type && type != kShape[i].other_type) return false;
    }
    for (int i = 0; i < shape->natts; i++) {
      if (!column_suits(*TupleDescAttr(shape, i))) return false;
    }
    return true;
  }

  bool column_suits(const FormData_pg_attribute& attribute) {
    if (attribute.attisdropped) return true;
    if (attribute.attgenerated != '\0' || attribute.attidentity != '\0') return false;
    bool has_default = false;
    Oid const function = default_function(table, attribute.attnum, &has_default);
    if (attribute.attnum == columns[id]) return function == F_GEN_RANDOM_UUID;
    if (attribute.attnum == columns[store]) {
      fills_store = is_default_store(function);
      return !rows.store.isnull || !has_default || fills_store;
    }
    bool const ours = std::find(columns, columns + kColumns, attribute.attnum) != columns + kColumns;
    // The others stay NULL, which NOT NULL constraints see to, but those of domains only the executor.
    return ours || (!has_default && get_typtype(attribute.atttypid) != TYPTYPE_DOMAIN);
  }

  void skip_foreign_key(TriggerDesc* triggers) const {
    if (triggers == nullptr) return;
    bool others = false;
    for (int i = 0; i < triggers->numtriggers; i++) {
      Trigger& trigger = triggers->triggers[i];  // the executor's own copy
      if (!TRIGGER_FOR_ROW(trigger.tgtype) || !TRIGGER_FOR_AFTER(trigger.tgtype) ||
          !TRIGGER_FOR_INSERT(trigger.tgtype)) {
        continue;
      }
      if (is_our_foreign_key(table, trigger, rows, columns[upload_id])) {
        trigger.tgenabled = TRIGGER_DISABLED;
      } else {
        others = true;
      }
    }
    triggers->trig_insert_after_row = others;
  }

  void run();
};

// Random identifiers (version 4) in ascending order.
class Ids {
 public:
  void allocate(int count) {
    size_ = std::min(count, kIdsAtOnce);
    ids_ = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t) * static_cast<Size>(size_)));
    next_ = size_;
  }
  const pg_uuid_t& next() {
    if (next_ == size_) draw();
    return ids_[next_++];
  }

 private:
  void draw() {
    if (!pg_strong_random(ids_, sizeof(pg_uuid_t) * static_cast<Size>(size_))) {
      ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values"));
    }
    for (int i = 0; i < size_; i++) {
      unsigned char* const octets = ids_[i].data;
      octets[6] = static_cast<unsigned char>((octets[6] & 0x0F) | 0x40);
      octets[8] = static_cast<unsigned char>((octets[8] & 0x3F) | 0x80);
    }
    std::sort(ids_, ids_ + size_,
              [](const pg_uuid_t& a, const pg_uuid_t& b) { return std::memcmp(a.data, b.data, UUID_LEN) < 0; });
    next_ = 0;
  }

  pg_uuid_t* ids_ = nullptr;
  int size_ = 0;
  int next_ = 0;
};

// chunk_<upload>_000.wav with at least three digits.
class Filename {
 public:
  explicit Filename(const pg_uuid_t& upload) {
    auto* const value = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&upload)));
    length_ = std::snprintf(text_, sizeof(text_), "chunk_%s_", value);
  }
  Datum datum(std::int32_t index) {
    int const digits =
        std::snprintf(text_ + length_, sizeof(text_) - static_cast<std::size_t>(length_), "%03d.wav", index);
    return PointerGetDatum(cstring_to_text_with_len(text_, length_ + digits));
  }

 private:
  char text_[80] = {};
  int length_ = 0;
};

Datum seconds(std::int64_t milliseconds) { return NumericGetDatum(int64_div_fast_to_numeric(milliseconds, 3)); }

NullableDatum text_or_null(std::string_view value) {
  if (value.empty()) return {.value = Datum{0}, .isnull = true};
  return {.value = PointerGetDatum(cstring_to_text_with_len(value.data(), static_cast<int>(value.size()))),
          .isnull = false};
}

void Insertion::run() {
  EState* const executor = CreateExecutorState();
  ResultRelInfo* const result = makeNode(ResultRelInfo);
  InitResultRelInfo(result, table, 0, nullptr, 0);
  executor->es_opened_result_relations = lappend(executor->es_opened_result_relations, result);
  ExecOpenIndices(result, false);
  skip_foreign_key(result->ri_TrigDesc);
  CommandId const command = GetCurrentCommandId(true);
  executor->es_output_cid = command;

  AfterTriggerBeginQuery();
  TransitionCaptureState* const transition = MakeTransitionCaptureState(result->ri_TrigDesc, rows.table, CMD_INSERT);
  ExecBSInsertTriggers(executor, result);
  bool const row_events =
      transition != nullptr || (result->ri_TrigDesc != nullptr && result->ri_TrigDesc->trig_insert_after_row);
  bool const constrained = RelationGetDescr(table)->constr != nullptr;

  std::int32_t const count = rows.plan.count;
  int const batch_size = std::min(count, kRowsAtOnce);
  auto** const slots = static_cast<TupleTableSlot**>(palloc(sizeof(TupleTableSlot*) * static_cast<Size>(batch_size)));
  for (int i = 0; i < batch_size; i++) slots[i] = table_slot_create(table, nullptr);
  auto* const bulk = GetBulkInsertState();
  auto* const batch_context = AllocSetContextCreate(CurrentMemoryContext, "audiostore chunks", ALLOCSET_DEFAULT_SIZES);
  Ids ids;
  ids.allocate(count);
  Filename name(rows.upload);
  NullableDatum const store_value =
      rows.store.isnull && fills_store ? text_or_null(pg::settings::default_store()) : rows.store;
  Datum const pending = text_or_null("pending").value;
  Datum const full_length = seconds(rows.plan.length);

  for (std::int32_t first = 0; first < count;) {
    CHECK_FOR_INTERRUPTS();
    MemoryContextReset(batch_context);
    auto* const outer = MemoryContextSwitchTo(batch_context);
    int const size = std::min(count - first, batch_size);
    Datum start = seconds(rows.plan.chunk(first).start);
    for (int i = 0; i < size; i++) {
      TupleTableSlot* const slot = slots[i];
      std::int32_t const index = first + i;
      Chunk const chunk = rows.plan.chunk(index);
      bool const full = chunk.end - chunk.start == rows.plan.length;
      ExecClearTuple(slot);
      std::fill_n(slot->tts_isnull, slot->tts_tupleDescriptor->natts, true);
      auto const set = [&](Column column, Datum value) {
        slot->tts_values[columns[column] - 1] = value;
        slot->tts_isnull[columns[column] - 1] = false;
      };
      set(id, UUIDPGetDatum(&ids.next()));
      set(upload_id, UUIDPGetDatum(&rows.upload));
      set(chunk_index, Int32GetDatum(index));
      set(total_chunks, Int32GetDatum(count));
      set(start_time, start);
      set(end_time, start = seconds(chunk.end));
      set(duration, full ? full_length : seconds(chunk.end - chunk.start));
      set(filename, name.datum(index));
      set(status, pending);
      if (!store_value.isnull) set(store, store_value.value);
      ExecStoreVirtualTuple(slot);
      slot->tts_tableOid = rows.table;
      if (constrained) ExecConstraints(result, slot, executor);
    }
    table_multi_insert(table, slots, size, command, 0, bulk);
    MemoryContextSwitchTo(outer);
    for (int i = 0; i < size; i++) {
      List* const recheck = result->ri_NumIndices > 0 ? pg::insert_index_entries(result, slots[i], executor) : NIL;
      if (row_events) ExecARInsertTriggers(executor, result, slots[i], recheck, transition);
      list_free(recheck);
      ResetPerTupleExprContext(executor);
    }
    first += size;
  }

  FreeBulkInsertState(bulk);
  ExecASInsertTriggers(executor, result, transition);
  AfterTriggerEndQuery(executor);
  for (int i = 0; i < batch_size; i++) ExecDropSingleTupleTableSlot(slots[i]);
  table_finish_bulk_insert(table, 0);
  ExecResetTupleTable(executor->es_tupleTable, false);
  ExecCloseResultRelations(executor);
  FreeExecutorState(executor);
}

constexpr const char* kInsert =
    "INSERT INTO audiostore.audio_chunks"
    " (upload_id, chunk_index, total_chunks, start_time, end_time, duration, chunk_filename, status%s)"
    " SELECT $1, c.i, $2, c.start_ms OPERATOR(pg_catalog./) 1000.0, c.end_ms OPERATOR(pg_catalog./) 1000.0,"
    " (c.end_ms OPERATOR(pg_catalog.-) c.start_ms) OPERATOR(pg_catalog./) 1000.0,"
    " pg_catalog.concat('chunk_', $1, '_', pg_catalog.lpad(c.i::pg_catalog.text,"
    " GREATEST(3, pg_catalog.length(c.i::pg_catalog.text)), '0'), '.wav'), 'pending'%s"
    " FROM (SELECT i, i::pg_catalog.int8 OPERATOR(pg_catalog.*) $3 AS start_ms,"
    " LEAST((i::pg_catalog.int8 OPERATOR(pg_catalog.+) 1) OPERATOR(pg_catalog.*) $3, $4) AS end_ms"
    " FROM pg_catalog.generate_series(0, $2 OPERATOR(pg_catalog.-) 1) AS i) AS c";

}  // namespace

bool insert_directly(const ChunkRows& rows) {
  return pg::call([&] {
    auto* const table = table_open(rows.table, NoLock);
    Insertion insertion{.rows = rows, .table = table, .columns = {}, .fills_store = false};
    bool const suits = insertion.suits();
    if (suits) insertion.run();
    table_close(table, NoLock);
    return suits;
  });
}

void insert_by_statement(const ChunkRows& rows) {
  constexpr int kArguments = 5;
  pg::call([&] {
    Oid types[kArguments] = {UUIDOID, INT4OID, INT8OID, INT8OID, TEXTOID};
    Datum values[kArguments] = {UUIDPGetDatum(&rows.upload), Int32GetDatum(rows.plan.count),
                                Int64GetDatum(rows.plan.length), Int64GetDatum(rows.plan.duration), rows.store.value};
    bool const with_store = !rows.store.isnull;
    char* const sql = psprintf(kInsert, with_store ? ", store" : "", with_store ? ", $5" : "");
    SPI_connect();
    int const result =
        SPI_execute_with_args(sql, with_store ? kArguments : kArguments - 1, types, values, nullptr, false, 0);
    if (result != SPI_OK_INSERT && result != SPI_OK_UPDATE && result != SPI_OK_DELETE && result != SPI_OK_UTILITY) {
      elog(ERROR, "inserting chunks failed: %s", SPI_result_code_string(result));
    }
    SPI_finish();
  });
}

}  // namespace audiostore::uploads
