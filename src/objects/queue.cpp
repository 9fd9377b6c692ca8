// The functions that queue an operation: nothing travels before the transaction commits.
#include <nlohmann/json.hpp>

#include "objects/target.hpp"
#include "outbox/enqueue.hpp"
#include "pg/json.hpp"
#include "tracking/holders.hpp"

namespace audiostore::objects {
namespace {

using Metadata = std::map<std::string, std::string>;

// Metadata and content type become header lines at most providers: what could break a line is refused, and S3's limit
// holds for all of them, so that an object can move between stores.
constexpr std::size_t kMostMetadataBytes = 2048;
constexpr std::size_t kMostContentTypeBytes = 255;

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

bool is_header_token(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

void check_metadata(const Metadata& metadata) {
  std::size_t size = 0;
  for (auto const& [name, value] : metadata) {
    size += name.size() + value.size();
    if (!is_header_token(name)) {
      throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "invalid metadata name \"" + name + "\"", {},
                         R"(Names consist of letters, digits, "-", "_" and ".".)");
    }
    if (has_control_characters(value)) {
      throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "metadata \"" + name + "\" contains control characters");
    }
  }
  if (size <= kMostMetadataBytes) return;
  throw pg::SqlError(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "metadata is too large",
                     "Its names and values have " + std::to_string(size) + " bytes, and at most " +
                         std::to_string(kMostMetadataBytes) + " can be stored with an object.");
}

void check_content_type(std::string_view content_type) {
  bool const ascii = std::all_of(content_type.begin(), content_type.end(), [](unsigned char c) { return c < 0x80; });
  if (!content_type.empty() && content_type.size() <= kMostContentTypeBytes && ascii &&
      !has_control_characters(content_type) && content_type.find('/') != std::string_view::npos) {
    return;
  }
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "invalid content type", {},
                     "Write a media type such as audio/mpeg.");
}

std::string put_options(const pg::Arguments& arguments) {
  auto options = nlohmann::json::object();
  if (auto const content_type = arguments.text_or_null(3)) {
    check_content_type(*content_type);
    options["content_type"] = std::string(*content_type);
  }
  if (!arguments.null(4)) {
    Metadata const metadata = pg::string_map(arguments.datum(4, "metadata"), "metadata");
    check_metadata(metadata);
    if (!metadata.empty()) options["metadata"] = metadata;
  }
  return options.dump();
}

bool held(const Target& target) {
  tracking::Holders holders(
      {.store = target.handle.name, .without = InvalidOid, .purpose = tracking::Purpose::queueing});
  return !holders.empty() && holders.probe(target.key) == tracking::Holding::live;
}

std::string described(const Target& target) {
  return "object \"" + std::string(target.key) + "\" of store \"" + target.handle.name + "\"";
}

Datum queue(const outbox::NewOperation& operation) { return Int64GetDatum(outbox::enqueue(operation)); }

Datum put_object(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  Target const target = find_target(arguments, 0, 1);
  std::string_view const data = arguments.text(2, "data");
  if (data.size() > kMostBytes) {
    throw pg::SqlError(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "data is too large for put_object",
                       "It has " + std::to_string(data.size()) + " bytes, and at most " + std::to_string(kMostBytes) +
                           " can be queued.",
                       "Let a client upload it to the URL that audiostore.signed_url(..., method => 'PUT') gives.");
  }
  std::string const options = put_options(arguments);
  outbox::NewOperation operation{outbox::Kind::put, target.handle.name, target.key, {}, {}, data,
                                 options,           "put_object"};
  return queue(operation);
}

Datum delete_object(FunctionCallInfo info) {
  Target const target = find_target(pg::Arguments(info), 0, 1);
  if (held(target)) {
    throw pg::SqlError(ERRCODE_OBJECT_IN_USE, described(target) + " is held by a live row", {},
                       "Delete the row, or change what makes it live: its object follows.");
  }
  return queue({outbox::Kind::del, target.handle.name, target.key, {}, {}, {}, "{}", "delete_object"});
}

// Not refused while a live row holds the key: what counts is who holds it when the time has come.
Datum expire_object(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  Target const target = find_target(arguments, 0, 1);
  TimestampTz const at = DatumGetTimestampTz(arguments.datum(2, "at"));
  if (TIMESTAMP_NOT_FINITE(at)) throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "at must be finite");
  outbox::NewOperation operation{outbox::Kind::del, target.handle.name, target.key, {}, {}, {}, "{}", "expire_object"};
  operation.due = at;
  return queue(operation);
}

Datum transfer(FunctionCallInfo info, outbox::Kind kind) {
  pg::Arguments const arguments(info);
  Target const source = find_target(arguments, 0, 1);
  Target const target = find_target(arguments, 2, 3);
  bool const move = kind == outbox::Kind::move;
  if (source.handle.server == target.handle.server && source.key == target.key) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                       std::string("cannot ") + (move ? "move" : "copy") + " " + described(source) + " onto itself");
  }
  if (move && held(source)) {
    throw pg::SqlError(ERRCODE_OBJECT_IN_USE, described(source) + " is held by a live row",
                       "The row would be left without its object.",
                       "Copy the object, then update the row to the new key: the old object is deleted with that.");
  }
  return queue({kind,
                source.handle.name,
                source.key,
                target.handle.name,
                target.key,
                {},
                "{}",
                move ? "move_object" : "copy_object"});
}

Datum copy_object(FunctionCallInfo info) { return transfer(info, outbox::Kind::copy); }
Datum move_object(FunctionCallInfo info) { return transfer(info, outbox::Kind::move); }

Datum set_storage_class(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  Target const target = find_target(arguments, 0, 1);
  std::string_view const storage_class = arguments.text(2, "storage class");
  if (storage_class.size() > 64 || !is_header_token(storage_class)) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "invalid storage class", {},
                       "Write it as the provider does, for example STANDARD_IA.");
  }
  return queue(
      {outbox::Kind::set_class, target.handle.name, target.key, {}, storage_class, {}, "{}", "set_storage_class"});
}

}  // namespace
}  // namespace audiostore::objects

AUDIOSTORE_FUNCTION(put_object, audiostore::objects::put_object)
AUDIOSTORE_FUNCTION(delete_object, audiostore::objects::delete_object)
AUDIOSTORE_FUNCTION(expire_object, audiostore::objects::expire_object)
AUDIOSTORE_FUNCTION(copy_object, audiostore::objects::copy_object)
AUDIOSTORE_FUNCTION(move_object, audiostore::objects::move_object)
AUDIOSTORE_FUNCTION(set_storage_class, audiostore::objects::set_storage_class)
