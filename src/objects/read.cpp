// get_object and head_object: they ask the store now, in the middle of the transaction, as their names say.
#include "foreign/listing.hpp"
#include "objects/buffer.hpp"
#include "objects/queued_write.hpp"
#include "pg/json.hpp"
#include "pg/result_set.hpp"
#include "pg/time.hpp"

namespace audiostore::objects {
namespace {

std::string described(const Target& target) {
  return "object \"" + std::string(target.key) + "\" of store \"" + target.handle.name + "\"";
}

[[noreturn]] void throw_absent(const Target& target) {
  throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, described(target) + " does not exist");
}

[[noreturn]] void throw_range_beyond_end(const Target& target, std::uint64_t size) {
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "range starts beyond the end of " + described(target),
                     "The object has " + std::to_string(size) + " bytes.");
}

store::Range range_argument(const pg::Arguments& arguments) {
  store::Range range;
  std::int64_t const start = arguments.null(2) ? 0 : arguments.bigint(2, "start");
  if (start < 0) throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "start must not be negative");
  range.start = static_cast<std::uint64_t>(start);
  if (arguments.null(3)) return range;
  std::int64_t const length = arguments.bigint(3, "length");
  if (length < 0) throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "length must not be negative");
  range.length = static_cast<std::uint64_t>(length);
  return range;
}

// An object, and the name under which the caller knows it.
struct Place {
  store::Store& store;
  std::string key;
  const Target& named;
};

// No bytes are wanted, so the store is only asked whether the object is there and that long.
std::optional<Datum> read_nothing(const Place& place, const store::Range& range) {
  auto const info = foreign::run(place.store.head(place.key));
  if (!info) return std::nullopt;
  if (range.start > info->size) throw_range_beyond_end(place.named, info->size);
  return pg::varlena_datum({});
}

// Nothing when it is absent.
std::optional<Datum> read(const Place& place, const store::Range& range) {
  if (range.length == 0) return read_nothing(place, range);
  Buffer buffer(kMostBytes);
  try {
    foreign::run(place.store.get(place.key, range, [&](BytesView piece) { buffer.append(piece); }));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) return std::nullopt;
    // An empty object read from its beginning is no mistake.
    if (error.kind() == ErrorKind::invalid_argument && range.start == 0) return read_nothing(place, range);
    throw;
  }
  return buffer.bytea();
}

Datum get_object(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  Target const target = find_target(arguments, 0, 1);
  store::Range const range = range_argument(arguments);
  std::optional<Datum> found;
  if (auto const queued = find_queued_write(target)) {
    if (queued->put != 0) {
      if (auto const bytes = read_queued_put(queued->put, range)) {
        if (range.start > bytes->size) throw_range_beyond_end(target, bytes->size);
        return bytes->bytes;
      }
    } else {
      // Absent there: it has been moved meanwhile.
      found = read({.store = *queued->store->store, .key = queued->key, .named = target}, range);
    }
  }
  if (!found) found = read({.store = target.store(), .key = std::string(target.key), .named = target}, range);
  if (!found) throw_absent(target);
  return *found;
}

// As the queue will leave it.
std::optional<store::ObjectInfo> describe_queued(const Target& target) {
  auto const queued = find_queued_write(target);
  if (!queued) return std::nullopt;
  if (queued->put != 0) return describe_queued_put(queued->put);
  auto found = foreign::run(queued->store->store->head(queued->key));
  if (found) found->etag.clear();
  return found;
}

Datum head_object(FunctionCallInfo info) {
  Target const target = find_target(pg::Arguments(info), 0, 1);
  auto found = describe_queued(target);
  if (!found) found = foreign::run(target.store().head(std::string(target.key)));
  constexpr NullableDatum kNull{Datum{0}, true};
  if (!found) return pg::composite(info, {kNull, kNull, kNull, kNull, kNull, kNull});
  auto const listed = foreign::values_of(*found);
  return pg::composite(info, {listed[1], listed[2], listed[3], listed[4], foreign::text_value(found->content_type),
                              NullableDatum{pg::jsonb_object(found->metadata), false}});
}

}  // namespace
}  // namespace audiostore::objects

AUDIOSTORE_FUNCTION(get_object, audiostore::objects::get_object)
AUDIOSTORE_FUNCTION(head_object, audiostore::objects::head_object)
