// Packs in SQL.
#include "base/front_coding.hpp"
#include "outbox/pack_table.hpp"
#include "pg/arguments.hpp"
#include "pg/datum.hpp"
#include "pg/memory_scope.hpp"
#include "pg/result_set.hpp"

namespace audiostore::outbox {
namespace {

Datum unpack_keys(FunctionCallInfo fcinfo) {
  std::int64_t id = PG_GETARG_INT64(0);
  FrontCodedReader reader(pg::view(PG_GETARG_DATUM(1)));
  pg::ResultSet result(fcinfo);
  bool valid = true;
  while (valid && reader.next()) {
    valid = pg::valid_text(reader.current());
    if (valid) result.add({{Int64GetDatum(id++), false}, {pg::varlena_datum(reader.current()), false}});
  }
  if (!valid || !reader.complete()) throw pg::SqlError(ERRCODE_DATA_CORRUPTED, "pack of queued deletes is damaged");
  return Datum{0};
}

Datum packed_before(FunctionCallInfo fcinfo) {
  pg::MemoryScope const memory("audiostore packed before");
  PackTable packs;
  if (packs.empty()) PG_RETURN_BOOL(false);
  pg::Arguments const arguments(fcinfo);
  PG_RETURN_BOOL(packs.any_before(arguments.name_or_empty(0), arguments.text(1, "key"), arguments.bigint(2, "id")));
}

}  // namespace
}  // namespace audiostore::outbox

AUDIOSTORE_FUNCTION(unpack_keys, audiostore::outbox::unpack_keys)
AUDIOSTORE_FUNCTION(packed_before, audiostore::outbox::packed_before)
