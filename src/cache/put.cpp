// cache_put(): an entry in place of the one its key may have had. Everything that can be wrong with the arguments is
// found out before anything is written; the audio is encoded before any lock is taken.
#include "cache/archive.hpp"
#include "cache/claim.hpp"
#include "cache/counters.hpp"
#include "cache/encode.hpp"
#include "cache/lookup.hpp"
#include "cache/row.hpp"
#include "monitor/wake.hpp"
#include "pg/arguments.hpp"
#include "pg/settings.hpp"
#include "pg/time.hpp"

namespace audiostore::cache {
namespace {

constexpr int kMostKeyCharacters = 255;
constexpr std::int64_t kMostTimeToLive = std::int64_t{365} * USECS_PER_DAY;

struct Entry {
  Datum key = 0;
  std::string_view key_text;
  Audio audio;
  std::int32_t sample_rate = 0;
  std::int32_t channels = 0;
  std::int64_t time_to_live = 0;  // microseconds
  Datum metadata = 0;
};

[[noreturn]] void refuse(std::string message, std::string detail, std::string hint = {}) {
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, std::move(message), std::move(detail), std::move(hint));
}

std::int32_t positive(const pg::Arguments& arguments, int index, const char* name) {
  std::int32_t const value = DatumGetInt32(arguments.datum(index, name));
  if (value <= 0) refuse(std::string(name) + " must be greater than 0", "It is " + std::to_string(value) + ".");
  return value;
}

std::int64_t time_to_live(const pg::Arguments& arguments, int index) {
  if (arguments.null(index)) return pg::settings::cache_ttl().count() * USECS_PER_SEC;
  std::int64_t const ttl = pg::to_microseconds(*DatumGetIntervalP(arguments.datum(index, "ttl"))).count();
  if (ttl > 0 && ttl <= kMostTimeToLive) return ttl;
  refuse("ttl must be greater than 0 and at most 365 days",
         ttl <= 0 ? "It is not greater than 0." : "It is " + std::to_string(ttl / USECS_PER_DAY) + " days.",
         ttl <= 0 ? "" : "Archive what is to be kept: archive => true.");
}

std::string_view check_key(const pg::Arguments& arguments) {
  std::string_view const key = arguments.text(0, "cache_key");
  int const characters = pg_mbstrlen_with_len(key.data(), static_cast<int>(key.size()));
  if (key.empty()) refuse("cache_key must not be empty", "");
  if (characters > kMostKeyCharacters) {
    refuse("cache_key is too long",
           "It has " + std::to_string(characters) + " characters, and at most " + std::to_string(kMostKeyCharacters) +
               " are stored.",
           "Use audiostore.cache_key(), or a hash of the key.");
  }
  return key;
}

Entry read_entry(const pg::Arguments& arguments) {
  Entry entry;
  entry.key_text = check_key(arguments);
  entry.key = pg::varlena_datum(entry.key_text);
  RawAudio raw;
  raw.audio = arguments.datum(1, "audio");
  if (!arguments.null(2)) raw.duration_ms = DatumGetInt32(arguments.datum(2, "duration_ms"));
  if (!arguments.null(2) && *raw.duration_ms < 0) {
    refuse("duration_ms must not be negative", "It is " + std::to_string(*raw.duration_ms) + ".");
  }
  raw.sample_rate = entry.sample_rate = positive(arguments, 3, "sample_rate");
  raw.channels = entry.channels = positive(arguments, 4, "channels");
  raw.compression = arguments.text(5, "compression");
  entry.time_to_live = time_to_live(arguments, 6);
  entry.metadata = arguments.datum(8, "metadata");
  entry.audio = encode(raw);
  return entry;
}

Row make_row(const Entry& entry, TimestampTz now, const Archived& archived) {
  Row row;
  auto* const id = static_cast<pg_uuid_t*>(pg::call([] { return palloc(sizeof(pg_uuid_t)); }));
  if (!pg_strong_random(id->data, UUID_LEN)) {
    throw pg::SqlError(ERRCODE_INTERNAL_ERROR, "could not generate random values");
  }
  id->data[6] = static_cast<unsigned char>((id->data[6] & 0x0F) | 0x40);  // version 4, RFC 9562
  id->data[8] = static_cast<unsigned char>((id->data[8] & 0x3F) | 0x80);
  row.set(column::id, UUIDPGetDatum(id));
  row.set(column::cache_key, entry.key);
  row.set(column::audio_data, entry.audio.bytes);
  row.set(column::format, pg::varlena_datum(entry.audio.compression));
  row.set(column::duration_ms, Int32GetDatum(entry.audio.duration_ms));
  row.set(column::sample_rate, Int32GetDatum(entry.sample_rate));
  row.set(column::channels, Int32GetDatum(entry.channels));
  row.set(column::compression, pg::varlena_datum(entry.audio.compression));
  row.set(column::metadata, entry.metadata);
  row.set(column::created_at, TimestampTzGetDatum(now));
  row.set(column::expires_at, TimestampTzGetDatum(now + entry.time_to_live));
  row.set(column::hit_count, Int32GetDatum(0));
  row.set(column::last_accessed_at, TimestampTzGetDatum(now));
  if (archived.path.empty()) return row;
  row.set(column::storage_path, pg::varlena_datum(archived.path));
  row.set(column::store, pg::varlena_datum(archived.store));
  return row;
}

void store(const Entry& entry, const Archived& archived) {
  std::uint64_t const hash = hash_of(entry.key_text);
  relations();
  pg::call([&] { lock_key(hash, true); });
  remove_rows(entry.key, hash);
  TimestampTz const now = GetCurrentTimestamp();
  int const segment = segment_for(now + entry.time_to_live, entry.time_to_live, false);
  SharedCache* const shared = relations().shared;
  if (shared != nullptr) note_key(*shared, hash, segment);
  Row row = make_row(entry, now, archived);
  Written const written = pg::call([&] {
    Written const result = insert_row(segment, row, Amount::single);
    CommandCounterIncrement();
    return result;
  });
  if (written.first_on_page && is_full(written.entries, written.bytes, limits())) close_segment(segment);
  count(Counted::puts);
  if (shared != nullptr) {
    remember(*shared, hash, where(segment, written.tid));
    if (add_entry(*shared, static_cast<std::int64_t>(entry.audio.size), limits())) monitor::wake(MyDatabaseId);
  }
  note_claim_done(hash);
}

Archiving archiving_of(const pg::Arguments& arguments) {
  if (arguments.null(7)) return Archiving::never;
  return DatumGetBool(arguments.datum(7, "archive")) ? Archiving::always : Archiving::by_policy;
}

Datum put(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  pg::call([] { PreventCommandIfReadOnly("audiostore.cache_put()"); });
  check_privilege(ACL_INSERT, "INSERT");
  Entry const entry = read_entry(arguments);
  Archived const archived = archive(
      {entry.key_text, pg::view(entry.audio.bytes), entry.audio.compression, entry.metadata, entry.audio.duration_ms},
      archiving_of(arguments));
  bool const caching = pg::settings::caching();
  if (caching) store(entry, archived);
  return BoolGetDatum(caching);
}

// The default of the column segment, for INSERT.
Datum default_segment(FunctionCallInfo /*info*/) {
  std::int64_t const ttl = pg::settings::cache_ttl().count() * USECS_PER_SEC;
  int const segment = segment_for(GetCurrentTimestamp() + ttl, ttl, false);
  return Int16GetDatum(static_cast<std::int16_t>(segment + 1));
}

// BEFORE INSERT OR UPDATE OF cache_key, segment.
Datum check_key_trigger(FunctionCallInfo info) {
  if (!CALLED_AS_TRIGGER(info)) {
    throw pg::SqlError(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, "audiostore_cache.check_key() is a trigger function");
  }
  auto* const trigger = reinterpret_cast<TriggerData*>(info->context);
  bool const update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
  HeapTuple const tuple = update ? trigger->tg_newtuple : trigger->tg_trigtuple;
  TupleDesc const shape = RelationGetDescr(trigger->tg_relation);
  bool null = false;
  Datum const key = heap_getattr(tuple, column::cache_key, shape, &null);
  if (null) return PointerGetDatum(tuple);
  int const segment = DatumGetInt16(heap_getattr(tuple, column::segment, shape, &null)) - 1;
  std::uint64_t const hash = hash_of(pg::view(key));
  if (segment < 0 || segment >= kSegments || !states()[static_cast<std::size_t>(segment)].used) {
    throw pg::SqlError(ERRCODE_CHECK_VIOLATION, "segment " + std::to_string(segment + 1) + " takes no entries now", {},
                       "Leave the column segment to its default.");
  }
  pg::call([&] { lock_key(hash, true); });
  if (has_other_row(key, hash, segment, update ? &trigger->tg_trigtuple->t_self : nullptr)) {
    throw pg::SqlError(ERRCODE_UNIQUE_VIOLATION,
                       "duplicate key value violates unique constraint \"audio_chunk_cache_cache_key\"",
                       "Key (cache_key)=(" + std::string(pg::view(key)) + ") already exists.",
                       "audiostore.cache_put() replaces the entry.");
  }
  if (SharedCache* const shared = relations().shared) note_key(*shared, hash, segment);
  return PointerGetDatum(tuple);
}

}  // namespace
}  // namespace audiostore::cache

AUDIOSTORE_FUNCTION(cache_put, audiostore::cache::put)
AUDIOSTORE_FUNCTION(cache_default_segment, audiostore::cache::default_segment)
AUDIOSTORE_FUNCTION(cache_check_key, audiostore::cache::check_key_trigger)
