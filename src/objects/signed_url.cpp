// signed_url: pure computation, called for many rows at a time. The open store is kept for the length of the query,
// and looked up again when a server, a user mapping, a role or the caller changes.
#include "objects/target.hpp"
#include "pg/arena.hpp"
#include "pg/json.hpp"
#include "pg/settings.hpp"
#include "pg/time.hpp"

namespace audiostore::objects {
namespace {

struct Cached {
  std::uint64_t generation = 0;
  Oid user = InvalidOid;
  std::string store;
  std::shared_ptr<foreign::OpenStore> open;
};

Cached& cache_of(FunctionCallInfo info) {
  FmgrInfo* const function = info->flinfo;
  if (function->fn_extra == nullptr) function->fn_extra = pg::own(function->fn_mcxt, std::make_unique<Cached>());
  return **static_cast<pg::Owned<Cached>*>(function->fn_extra);
}

foreign::OpenStore& find_store(FunctionCallInfo info, std::string_view name) {
  Cached& cached = cache_of(info);
  Oid const user = GetUserId();
  if (name.empty()) name = pg::settings::default_store();
  if (cached.open && cached.generation == foreign::catalog_generation() && cached.user == user &&
      cached.store == name) {
    return *cached.open;
  }
  std::uint64_t const generation = foreign::catalog_generation();
  Target const target = find_target(pg::Arguments(info), 0);
  cached = {generation, user, target.handle.name, target.open};
  return *cached.open;
}

std::string method_argument(std::string_view given) {
  std::string method(given);
  for (char& c : method) c = static_cast<char>(pg_ascii_toupper(static_cast<unsigned char>(c)));
  for (const char* known : {"GET", "HEAD", "PUT", "DELETE"}) {
    if (method == known) return method;
  }
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "invalid method \"" + std::string(given) + "\"", {},
                     "Methods are GET, HEAD, PUT, DELETE.");
}

std::chrono::seconds expiry_argument(Datum interval) {
  constexpr std::chrono::seconds kMost = std::chrono::hours(7 * 24);
  auto const length = pg::to_microseconds(*DatumGetIntervalP(interval));
  if (length >= std::chrono::seconds(1) && length <= kMost) return std::chrono::floor<std::chrono::seconds>(length);
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "expires_in must be between 1 second and 7 days");
}

TimePoint time_argument(Datum at) {
  TimestampTz const time = DatumGetTimestampTz(at);
  if (TIMESTAMP_NOT_FINITE(time)) throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "at must be finite");
  return pg::to_time_point(time);
}

std::map<std::string, std::string> map_argument(const pg::Arguments& arguments, int index, const char* name) {
  if (arguments.null(index)) return {};
  return pg::string_map(arguments.datum(index, name), name);
}

Datum signed_url(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  std::string_view const key = arguments.text(1, "key");
  foreign::OpenStore& open = find_store(info, arguments.name_or_empty(0));
  store::SignedUrlRequest const request{.method = method_argument(arguments.text(2, "method")),
                                        .key = std::string(key),
                                        .expires_in = expiry_argument(arguments.datum(3, "expires_in")),
                                        .headers = map_argument(arguments, 4, "headers"),
                                        .query = map_argument(arguments, 5, "query"),
                                        .at = time_argument(arguments.datum(6, "at"))};
  return pg::varlena_datum(open.store->signed_url(request));
}

}  // namespace
}  // namespace audiostore::objects

AUDIOSTORE_FUNCTION(signed_url, audiostore::objects::signed_url)
