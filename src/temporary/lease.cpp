// The functions that begin, prolong and end a lease. What would surprise you: the row is the intent to delete. It is
// there, and with it the end of the lease, before a client learns the key.
#include "objects/target.hpp"
#include "outbox/dead.hpp"
#include "outbox/enqueue.hpp"
#include "pg/identity.hpp"
#include "pg/result_set.hpp"
#include "pg/statement.hpp"
#include "temporary/interval.hpp"
#include "temporary/row.hpp"

namespace audiostore::temporary {
namespace {

using std::chrono::seconds;

constexpr seconds kLongestUrl = std::chrono::hours(7 * 24);
// An upload that began in time may end later, and so may a transaction that puts the object.
constexpr std::chrono::hours kLate{1};

bool is_suffix(std::string_view text) {
  constexpr std::size_t kMost = 32;
  if (text.empty()) return true;
  bool const plain = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  });
  return plain && text.front() == '.' && text.back() != '.' && text.size() <= kMost &&
         text.find("..") == std::string_view::npos;
}

std::string checked_suffix(std::string_view text) {
  if (is_suffix(text)) return std::string(text);
  throw pg::SqlError(
      ERRCODE_INVALID_PARAMETER_VALUE, "invalid suffix \"" + std::string(text.substr(0, 100)) + "\"", {},
      "Write a file name extension such as .wav: a dot, then letters, digits, \"-\" and \"_\", at most 32 "
      "characters.");
}

std::string new_key(const std::string& suffix) {
  static pg::Statement statement("SELECT gen_random_uuid()::text", {});
  statement.execute({});
  return statement.rows().text(0, 1) + suffix;
}

struct Upload {
  std::string url;  // empty: the provider cannot sign one
  TimePoint valid_until{};
};

Upload upload_to(store::Store& store, const std::string& key, TimePoint now, std::chrono::microseconds ttl) {
  seconds const valid = std::clamp(std::chrono::floor<seconds>(ttl), seconds(1), kLongestUrl);
  try {
    std::string url =
        store.signed_url({.method = "PUT", .key = key, .expires_in = valid, .headers = {}, .query = {}, .at = now});
    return {.url = std::move(url), .valid_until = now + valid};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    return {};
  }
}

Datum create(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  objects::Target const target = objects::find_target(arguments, 0);
  std::string const suffix = checked_suffix(arguments.text_or_null(1).value_or(std::string_view()));
  auto const ttl = checked_ttl(arguments.datum(2, "ttl"));
  auto const purpose = arguments.text_or_null(3);
  pg::Argument const metadata = arguments.null(4) ? pg::Argument() : pg::Argument(arguments.datum(4, "metadata"));
  if (!metadata.null && !pg::call([&] { return JB_ROOT_IS_OBJECT(DatumGetJsonbP(metadata.value)); })) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "metadata must be a JSON object");
  }
  foreign::claim_if_unclaimed(target.handle);
  TimePoint const now = SystemClock().now();
  Oid const caller = GetUserId();
  std::string key;
  Upload upload;
  {
    pg::Spi const spi;
    key = new_key(suffix);
    target.store().check_key(key);
    upload = upload_to(target.store(), key, now, ttl);
    static pg::Statement insert(
        "INSERT INTO audiostore.temporary_objects "
        "(store, key, created_by, created_at, expires_at, upload_until, purpose, metadata) "
        "VALUES ($1, $2, pg_get_userbyid($3), $4, $5, $6, $7, coalesce($8, '{}'))",
        {TEXTOID, TEXTOID, OIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, JSONBOID});
    auto const at = [](TimePoint time) { return TimestampTzGetDatum(pg::to_timestamptz(time)); };
    pg::AsExtensionOwner const owner;
    insert.execute({pg::text_argument(target.handle.name), pg::text_argument(key), ObjectIdGetDatum(caller), at(now),
                    at(now + ttl), at(std::max(upload.valid_until, now + ttl) + kLate),
                    purpose ? pg::text_argument(*purpose) : pg::Argument(), metadata});
    outbox::wake_at_commit();
  }
  return pg::composite(info, {NullableDatum{pg::varlena_datum(key), false}, pg::text_or_null(upload.url)});
}

// The store and key that the arguments name, where the caller may use the store.
struct Named {
  std::string store;
  std::string key;
};

Named find_named(const pg::Arguments& arguments) {
  foreign::StoreHandle const handle = foreign::find_store_or_default(arguments.name_or_empty(0));
  foreign::check_usage(handle, GetUserId());
  return {.store = handle.name, .key = std::string(arguments.text(1, "key"))};
}

Datum extend(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  Named const named = find_named(arguments);
  auto const ttl = checked_ttl(arguments.datum(2, "ttl"));
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  std::optional<Row> const row = lock_row(named.store, named.key);
  if (!row) throw_unknown(named.store, named.key);
  TimestampTz const now = GetCurrentTimestamp();
  if (!row->leased_at(now)) throw_not_leased(*row);
  TimestampTz const until = std::max(row->expires_at, now + ttl.count());
  static pg::Statement prolong("UPDATE audiostore.temporary_objects SET expires_at = $3 WHERE key = $1 AND store = $2",
                               {TEXTOID, TEXTOID, TIMESTAMPTZOID});
  prolong.execute({pg::text_argument(named.key), pg::text_argument(named.store), TimestampTzGetDatum(until)});
  return TimestampTzGetDatum(until);
}

Datum release(FunctionCallInfo info) {
  Named const named = find_named(pg::Arguments(info));
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  std::optional<Row> const row = lock_row(named.store, named.key);
  if (!row || (row->state != "leased" && row->state != "failed")) PG_RETURN_BOOL(false);
  if (row->operation != 0) outbox::drop_dead(row->operation);
  static pg::Statement end(
      "UPDATE audiostore.temporary_objects SET state = 'released', ended_at = clock_timestamp(), operation_id = NULL "
      "WHERE key = $1 AND store = $2",
      {TEXTOID, TEXTOID});
  end.execute({pg::text_argument(named.key), pg::text_argument(named.store)});
  PG_RETURN_BOOL(true);
}

}  // namespace
}  // namespace audiostore::temporary

AUDIOSTORE_FUNCTION(create_temporary_object, audiostore::temporary::create)
AUDIOSTORE_FUNCTION(extend_temporary_object, audiostore::temporary::extend)
AUDIOSTORE_FUNCTION(release_temporary_object, audiostore::temporary::release)
