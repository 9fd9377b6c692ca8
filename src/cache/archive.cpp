#include "cache/archive.hpp"

#include "foreign/catalog.hpp"
#include "outbox/enqueue.hpp"
#include "pg/identity.hpp"
#include "pg/statement.hpp"

namespace audiostore::cache {
namespace {

// The row owns the object from now on: an older copy of the key, archived on another day, goes.
std::string write_row(const NewArchive& entry, std::string_view store) {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement write(
      "INSERT INTO audiostore.audio_chunk_archives AS a"
      " (cache_key, store, storage_path, size, compression, duration_ms, metadata)"
      " VALUES ($1, $2, audiostore.cache_archive_path($1, $5, $4, now()), $3, $4, $6, $5)"
      " ON CONFLICT (cache_key) DO UPDATE SET store = excluded.store, storage_path = excluded.storage_path,"
      " size = excluded.size, compression = excluded.compression, duration_ms = excluded.duration_ms,"
      " metadata = excluded.metadata, archived_at = excluded.archived_at, expires_at = excluded.expires_at"
      " RETURNING storage_path::text",
      {TEXTOID, TEXTOID, INT8OID, TEXTOID, JSONBOID, INT4OID});
  write.execute({pg::text_argument(entry.key), pg::text_argument(store),
                 Int64GetDatum(static_cast<std::int64_t>(entry.audio.size())), pg::text_argument(entry.compression),
                 entry.metadata, Int32GetDatum(entry.duration_ms)});
  return write.rows().text(0, 1);
}

}  // namespace

Archived archive(const NewArchive& entry) {
  foreign::StoreHandle const store = foreign::find_store_or_default({});
  foreign::check_usage(store, GetUserId());
  Archived archived{store.name, write_row(entry, store.name)};
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
