#include "objects/queued_put.hpp"

#include "pg/identity.hpp"
#include "pg/json.hpp"
#include "pg/statement.hpp"
#include "pg/time.hpp"

namespace audiostore::objects {
namespace {

constexpr const char* kLatestPut =
    "FROM audiostore.operation_rows WHERE store = $1 AND key = $2 AND kind = 'put' AND state <> 'dead'"
    " ORDER BY id DESC LIMIT 1";

}  // namespace

std::optional<store::ObjectInfo> find_queued_put(const Target& target) {
  static std::string const sql = std::string(
                                     "SELECT octet_length(payload), enqueued_at, options ->> 'storage_class',"
                                     " options ->> 'content_type', options -> 'metadata' ") +
                                 kLatestPut;
  static pg::Statement find(sql.c_str(), {TEXTOID, TEXTOID});
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  if (find.read_latest({pg::text_argument(target.handle.name), pg::text_argument(target.key)}) == 0)
    return std::nullopt;
  pg::Rows const rows = find.rows();
  store::ObjectInfo info;
  info.key = target.key;
  info.size = static_cast<std::uint64_t>(rows.integer(0, 1));
  info.last_modified = pg::to_time_point(rows.timestamp(0, 2));
  info.storage_class = rows.text(0, 3);
  info.content_type = rows.null(0, 4) ? "application/octet-stream" : rows.text(0, 4);
  if (!rows.null(0, 5)) info.metadata = pg::string_map(rows.datum(0, 5).value, "metadata");
  return info;
}

std::optional<QueuedBytes> read_queued_put(const Target& target, store::Range range) {
  static std::string const sql = std::string("SELECT payload, octet_length(payload) ") + kLatestPut;
  static pg::Statement find(sql.c_str(), {TEXTOID, TEXTOID});
  MemoryContext caller = CurrentMemoryContext;
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  if (find.read_latest({pg::text_argument(target.handle.name), pg::text_argument(target.key)}) == 0)
    return std::nullopt;
  Datum const payload = find.rows().datum(0, 1).value;
  auto const size = static_cast<std::uint64_t>(find.rows().integer(0, 2));
  auto const start = static_cast<int32>(std::min(range.start, size));
  auto const length =
      static_cast<int32>(std::min(range.length.value_or(size), size - static_cast<std::uint64_t>(start)));
  Datum const bytes = pg::call([&] {
    MemoryContext inner = MemoryContextSwitchTo(caller);
    // A plain copy: the value leaves the row's memory. Slices of values stored out of line read only what they need.
    struct varlena* const part = length == 0 ? reinterpret_cast<struct varlena*>(cstring_to_text_with_len("", 0))
                                             : PG_DETOAST_DATUM_SLICE(payload, start, length);
    MemoryContextSwitchTo(inner);
    return PointerGetDatum(part);
  });
  return QueuedBytes{bytes, size};
}

}  // namespace audiostore::objects
