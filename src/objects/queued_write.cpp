#include "objects/queued_write.hpp"

#include "pg/identity.hpp"
#include "pg/json.hpp"
#include "pg/statement.hpp"
#include "pg/time.hpp"

namespace audiostore::objects {
namespace {

// What a copy or move is about to put under a key the worker reads with the rights of the store's owner, and so do we:
// whoever may read the target may read what it will be.
std::shared_ptr<foreign::OpenStore> open_as_owner(const std::string& store) {
  if (!OidIsValid(pg::call([&] { return get_foreign_server_oid(store.c_str(), true); }))) return nullptr;
  foreign::StoreHandle const handle = foreign::find_store(store);
  return foreign::open_store(handle, handle.owner);
}

}  // namespace

std::optional<QueuedWrite> find_queued_write(const Target& target) {
  static pg::Statement latest(
      "SELECT id, kind, store, key FROM audiostore.operations"
      " WHERE store = $1 AND key = $2 AND kind = 'put' AND state <> 'dead' AND id < $3"
      " UNION ALL SELECT id, kind, store, key FROM audiostore.operations"
      " WHERE target_store = $1 AND target = $2 AND kind IN ('copy', 'move') AND state <> 'dead' AND id < $3"
      " ORDER BY id DESC LIMIT 1",
      {TEXTOID, TEXTOID, INT8OID});
  std::string store = target.handle.name;
  std::string key(target.key);
  bool elsewhere = false;
  QueuedWrite found;
  {
    pg::Spi const spi;
    pg::AsExtensionOwner const owner;
    // Each step is older than the one before, so this ends.
    std::int64_t before = INT64_MAX;
    while (latest.read_latest({pg::text_argument(store), pg::text_argument(key), Int64GetDatum(before)}) > 0) {
      pg::Rows const rows = latest.rows();
      before = rows.bigint(0, 1);
      if (rows.text(0, 2) == "put") {
        found.put = before;
        return found;
      }
      store = rows.text(0, 3);
      key = rows.text(0, 4);
      elsewhere = true;
    }
  }
  if (!elsewhere) return std::nullopt;
  found.store = open_as_owner(store);
  found.key = std::move(key);
  return found.store ? std::optional(std::move(found)) : std::nullopt;
}

std::optional<store::ObjectInfo> describe_queued_put(std::int64_t put) {
  static pg::Statement find(
      "SELECT octet_length(payload), enqueued_at, options ->> 'storage_class', options ->> 'content_type',"
      " options -> 'metadata' FROM audiostore.operations WHERE id = $1",
      {INT8OID});
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  if (find.read_latest({Int64GetDatum(put)}) == 0) return std::nullopt;
  pg::Rows const rows = find.rows();
  store::ObjectInfo info;
  info.size = static_cast<std::uint64_t>(rows.integer(0, 1));
  info.last_modified = pg::to_time_point(rows.timestamp(0, 2));
  info.storage_class = rows.text(0, 3);
  info.content_type = rows.null(0, 4) ? "application/octet-stream" : rows.text(0, 4);
  if (!rows.null(0, 5)) info.metadata = pg::string_map(rows.datum(0, 5).value, "metadata");
  return info;
}

std::optional<QueuedBytes> read_queued_put(std::int64_t put, store::Range range) {
  static pg::Statement find("SELECT payload, octet_length(payload) FROM audiostore.operations WHERE id = $1",
                            {INT8OID});
  MemoryContext caller = CurrentMemoryContext;
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  if (find.read_latest({Int64GetDatum(put)}) == 0) return std::nullopt;
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
