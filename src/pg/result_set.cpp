#include "pg/result_set.hpp"

namespace audiostore::pg {
namespace {

constexpr std::size_t kMaxColumns = 16;

struct Columns {
  Datum values[kMaxColumns] = {};
  bool nulls[kMaxColumns] = {};

  Columns(std::initializer_list<NullableDatum> from) {
    std::size_t index = 0;
    for (NullableDatum const& column : from) {
      values[index] = column.value;
      nulls[index++] = column.isnull;
    }
  }
};

}  // namespace

ResultSet::ResultSet(FunctionCallInfo info) {
  call([&] {
    auto* result = reinterpret_cast<ReturnSetInfo*>(info->resultinfo);
    if (result == nullptr || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_Materialize) == 0) {
      ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
              errmsg("set-valued function called in context that cannot accept a set"));
    }
    MemoryContext outer = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
    TupleDesc descriptor = nullptr;
    if (get_call_result_type(info, nullptr, &descriptor) != TYPEFUNC_COMPOSITE) {
      elog(ERROR, "return type must be a row type");
    }
    descriptor_ = CreateTupleDescCopy(descriptor);
    store_ = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
    result->returnMode = SFRM_Materialize;
    result->setResult = store_;
    result->setDesc = descriptor_;
    MemoryContextSwitchTo(outer);
  });
}

void ResultSet::add(std::initializer_list<NullableDatum> values) {
  Columns columns(values);
  call([&] { tuplestore_putvalues(store_, descriptor_, columns.values, columns.nulls); });
  for (std::size_t i = 0; i < values.size(); i++) {
    if (columns.nulls[i] || TupleDescAttr(descriptor_, static_cast<int>(i))->attbyval) continue;
    pfree(DatumGetPointer(columns.values[i]));
  }
}

Datum composite(FunctionCallInfo info, std::initializer_list<NullableDatum> values) {
  Columns columns(values);
  return call([&] {
    TupleDesc descriptor = nullptr;
    if (get_call_result_type(info, nullptr, &descriptor) != TYPEFUNC_COMPOSITE) {
      elog(ERROR, "return type must be a row type");
    }
    descriptor = BlessTupleDesc(descriptor);
    return HeapTupleGetDatum(heap_form_tuple(descriptor, columns.values, columns.nulls));
  });
}

}  // namespace audiostore::pg
