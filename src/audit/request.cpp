#include "audit/request.hpp"

#include "audit/key_span.hpp"
#include "pg/time.hpp"

namespace audiostore::audit {

Request read_request(const pg::Arguments& arguments, int rest) {
  Request request;
  request.store = foreign::find_store_or_default(arguments.name_or_empty(0));
  request.prefix = key_prefix(arguments.text(1, "prefix"));
  request.min_age = arguments.datum(rest, "min_age");
  if (pg::to_microseconds(*DatumGetIntervalP(request.min_age)).count() < 0) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "min_age must not be negative");
  }
  if (auto const verify = arguments.text_or_null(rest + 1)) {
    if (*verify != "sha256") {
      throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "cannot verify \"" + std::string(*verify) + "\"", {},
                         "verify is sha256, or NULL to compare names and sizes only.");
    }
    request.verify = true;
  }
  request.sample = DatumGetFloat8(arguments.datum(rest + 2, "sample"));
  if (!(request.sample > 0 && request.sample <= 1)) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "sample must be greater than 0 and at most 1", {},
                       "It is the part of the keys whose bytes are verified: 0.01 is one of a hundred.");
  }
  foreign::check_usage(request.store, GetUserId());
  return request;
}

}  // namespace audiostore::audit
