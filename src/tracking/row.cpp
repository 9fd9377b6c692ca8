#include "tracking/row.hpp"

#include "pg/guard.hpp"

namespace audiostore::tracking {

RowReader::RowReader(const TrackedColumn& column, const CompiledColumn& compiled)
    : column_(column), compiled_(compiled) {
  if (compiled_.liveness.expression == nullptr) return;
  pg::call([this] {
    context();
    liveness_ = ExecInitExpr(compiled_.liveness.expression, nullptr);
  });
}

RowReader::~RowReader() {
  // An error that unwinds takes the context with it; its callbacks need not run.
  if (context_ != nullptr && !pg::PgError::any_alive()) FreeExprContext(context_, true);
}

ExprContext* RowReader::context() {
  if (context_ == nullptr) context_ = CreateStandaloneExprContext();
  return context_;
}

bool RowReader::read_in_backend(TupleTableSlot* row, LiveKey& found) {
  if (context_ != nullptr) ResetExprContext(context_);
  bool null = false;
  Datum const key = slot_getattr(row, compiled_.key, &null);
  if (null) return false;
  found.key = text_of(key);
  if (found.key.empty()) return false;
  if (compiled_.store == InvalidAttrNumber) {
    found.store = column_.store;
  } else {
    Datum const store = slot_getattr(row, compiled_.store, &null);
    if (null) return false;
    found.store = compiled_.store_is_name ? std::string_view(NameStr(*DatumGetName(store))) : text_of(store);
    if (found.store.empty()) return false;
  }
  return liveness_ == nullptr || is_live(row);
}

std::string_view RowReader::text_of(Datum value) {
  auto* text = reinterpret_cast<struct varlena*>(DatumGetPointer(value));
  if (VARATT_IS_COMPRESSED(text) || VARATT_IS_EXTERNAL(text)) {
    MemoryContext const outer = MemoryContextSwitchTo(context()->ecxt_per_tuple_memory);
    text = pg_detoast_datum_packed(text);
    MemoryContextSwitchTo(outer);
  }
  return {VARDATA_ANY(text), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(text))};
}

bool RowReader::is_live(TupleTableSlot* row) {
  context_->ecxt_scantuple = row;
  bool null = false;
  Datum const live = ExecEvalExprSwitchContext(liveness_, context_, &null);
  return !null && DatumGetBool(live);
}

}  // namespace audiostore::tracking
