// The arguments of an SQL function by position, with clear errors for NULLs that cannot be used.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pg/datum.hpp"

namespace audiostore::pg {

class Arguments {
 public:
  explicit Arguments(FunctionCallInfo info) : info_(info) {}

  int count() const { return info_->nargs; }
  bool null(int index) const { return index >= info_->nargs || info_->args[index].isnull; }

  // The value; `what` names it in the error that a NULL gives (22004).
  Datum datum(int index, const char* what) const {
    if (null(index)) throw SqlError(ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string(what) + " must not be null");
    return info_->args[index].value;
  }
  std::string_view text(int index, const char* what) const { return view(datum(index, what)); }
  std::string_view name(int index, const char* what) const { return name_view(datum(index, what)); }
  std::int64_t bigint(int index, const char* what) const { return DatumGetInt64(datum(index, what)); }

  std::optional<std::string_view> text_or_null(int index) const {
    return null(index) ? std::nullopt : std::optional(view(info_->args[index].value));
  }
  // Empty when NULL: no object in PostgreSQL has an empty name.
  std::string_view name_or_empty(int index) const {
    return null(index) ? std::string_view() : name_view(info_->args[index].value);
  }

 private:
  FunctionCallInfo info_;
};

}  // namespace audiostore::pg
