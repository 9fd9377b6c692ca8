// A set-returning function's result, collected in a tuplestore: memory stays within work_mem, the rest goes to disk.
#pragma once

#include <initializer_list>

#include "pg/datum.hpp"

namespace audiostore::pg {

class ResultSet {
 public:
  // Prepares the call's result; the caller of the function must accept a materialised set.
  explicit ResultSet(FunctionCallInfo info);

  // One row; frees what its values took from the current context.
  void add(std::initializer_list<NullableDatum> values);

 private:
  Tuplestorestate* store_ = nullptr;
  TupleDesc descriptor_ = nullptr;
};

// A composite result of a function declared with OUT parameters.
Datum composite(FunctionCallInfo info, std::initializer_list<NullableDatum> values);

}  // namespace audiostore::pg
