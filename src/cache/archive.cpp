#include "cache/archive.hpp"

#include "cache/segments.hpp"
#include "foreign/catalog.hpp"
#include "outbox/enqueue.hpp"
#include "pg/datum.hpp"
#include "pg/identity.hpp"
#include "pg/statement.hpp"

namespace audiostore::cache {
namespace {

struct Policy {
  std::string name;  // empty: none fits
  std::string store;
};

// Most caches have none, and a put should not have to look.
bool are_there_policies() {
  static std::uint64_t version = 0;
  static bool any = false;
  if (version == policies_version()) return any;
  std::uint64_t const now = policies_version();
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement look("SELECT FROM audiostore.cache_archive_policies WHERE enabled LIMIT 1", {});
  any = look.execute({}) > 0;
  version = now;
  return any;
}

Policy find_policy(const NewArchive& entry) {
  if (!are_there_policies()) return {};
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement find(
      "SELECT name, store FROM audiostore.cache_archive_policies"
      " WHERE enabled AND $1 @> pattern AND $2 >= min_duration_ms ORDER BY name LIMIT 1",
      {JSONBOID, INT4OID});
  if (find.execute({entry.metadata, Int32GetDatum(entry.duration_ms)}) == 0) return {};
  return {find.rows().text(0, 1), find.rows().text(0, 2)};
}

foreign::StoreHandle find_default_store() {
  foreign::StoreHandle store = foreign::find_store_or_default({});
  foreign::check_usage(store, GetUserId());
  return store;
}

// The row owns the object from now on: an older copy of the key, archived on another day, goes.
std::string write_row(const NewArchive& entry, std::string_view store, std::string_view policy) {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement write(
      "INSERT INTO audiostore.audio_chunk_archives AS a"
      " (cache_key, store, storage_path, size, compression, duration_ms, metadata, expires_at)"
      " SELECT $1, $2, audiostore.cache_archive_path($1, $5, $4, now()), $3, $4, $6, $5,"
      "        now() + CASE WHEN $7 = '' THEN interval '365 days' ELSE"
      "                     (SELECT p.keep FROM audiostore.cache_archive_policies p WHERE p.name = $7) END"
      " ON CONFLICT (cache_key) DO UPDATE SET store = excluded.store, storage_path = excluded.storage_path,"
      " size = excluded.size, compression = excluded.compression, duration_ms = excluded.duration_ms,"
      " metadata = excluded.metadata, archived_at = excluded.archived_at, expires_at = excluded.expires_at"
      " RETURNING storage_path::text",
      {TEXTOID, TEXTOID, INT8OID, TEXTOID, JSONBOID, INT4OID, TEXTOID});
  write.execute({pg::text_argument(entry.key), pg::text_argument(store),
                 Int64GetDatum(static_cast<std::int64_t>(entry.audio.size())), pg::text_argument(entry.compression),
                 entry.metadata, Int32GetDatum(entry.duration_ms), pg::text_argument(policy)});
  return write.rows().text(0, 1);
}

// BEFORE ROW: the store of a policy must be one that its author may write to. AFTER STATEMENT: others hear of it.
Datum policies_changed(FunctionCallInfo info) {
  if (!CALLED_AS_TRIGGER(info)) {
    throw pg::SqlError(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                       "audiostore_cache.archive_policies_changed() is a trigger function");
  }
  auto* const trigger = reinterpret_cast<TriggerData*>(info->context);
  if (!TRIGGER_FIRED_FOR_ROW(trigger->tg_event)) {
    Oid const policies = RelationGetRelid(trigger->tg_relation);
    pg::call([&] { CacheInvalidateRelcacheByRelid(policies); });
    return PointerGetDatum(nullptr);
  }
  HeapTuple const tuple = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
  bool null = false;
  int const number = pg::call([&] { return SPI_fnumber(RelationGetDescr(trigger->tg_relation), "store"); });
  Datum const store =
      pg::call([&] { return heap_getattr(tuple, number, RelationGetDescr(trigger->tg_relation), &null); });
  // NULL is the constraint's to refuse.
  if (!null) foreign::check_usage(foreign::find_store(pg::view(store)), GetUserId());
  return PointerGetDatum(tuple);
}

}  // namespace

Archived archive(const NewArchive& entry, Archiving archiving) {
  if (archiving == Archiving::never) return {};
  Policy const policy = find_policy(entry);
  if (policy.name.empty() && archiving == Archiving::by_policy) return {};
  foreign::StoreHandle const store = policy.name.empty() ? find_default_store() : foreign::find_store(policy.store);
  Archived archived{store.name, write_row(entry, store.name, policy.name)};
  bool const opus = entry.compression == "opus";
  outbox::NewOperation operation{outbox::Kind::put,
                                 store.name,
                                 archived.path,
                                 {},
                                 {},
                                 entry.audio,
                                 opus ? R"({"content_type": "audio/ogg"})" : "{}",
                                 "cache_put"};
  outbox::enqueue(operation);
  return archived;
}

}  // namespace audiostore::cache

AUDIOSTORE_FUNCTION(cache_archive_policies_changed, audiostore::cache::policies_changed)
