// put_debug_object(): what a request took in or gave back, under a name that says when and why.
#include <nlohmann/json.hpp>

#include "base/time_format.hpp"
#include "objects/target.hpp"
#include "outbox/enqueue.hpp"
#include "store/safe_name.hpp"

namespace audiostore::temporary {
namespace {

struct Direction {
  std::string_view name;
  std::string_view extension;
  std::string_view content_type;
};
constexpr Direction kDirections[] = {{"input", ".caf", "audio/x-caf"}, {"output", ".mp3", "audio/mpeg"}};

Direction checked_kind(std::string_view kind) {
  for (Direction const& direction : kDirections) {
    if (direction.name == kind) return direction;
  }
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "invalid kind \"" + std::string(kind) + "\"", {},
                     "Kinds are input and output.");
}

std::string checked_name(std::string_view text, const char* what) {
  constexpr std::size_t kMost = 100;
  std::string name = store::cut_name(store::safe_name(text), kMost);
  if (!name.empty()) return name;
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, std::string(what) + " is empty",
                     "Nothing of it can be in a key.");
}

// 20260102T030405.678901Z: sorts by time.
std::string time_stamp() {
  TimePoint const now = SystemClock().now();
  std::string const micros = std::to_string(now.time_since_epoch().count() % 1'000'000);
  std::string text = iso8601_basic(now);
  text.insert(text.size() - 1, "." + std::string(6 - micros.size(), '0') + micros);
  return text;
}

Datum put_debug_object(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  objects::Target const target = objects::find_target(arguments, 0);
  Direction const direction = checked_kind(arguments.text(1, "kind"));
  std::string const request = checked_name(arguments.text(2, "request_id"), "request_id");
  std::string_view const data = arguments.text(3, "data");
  if (data.size() > objects::kMostBytes) {
    throw pg::SqlError(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "data is too large for put_debug_object",
                       "It has " + std::to_string(data.size()) + " bytes, and at most " +
                           std::to_string(objects::kMostBytes) + " can be queued.");
  }
  auto options = nlohmann::json::object();
  options["content_type"] = std::string(direction.content_type);
  options["metadata"]["request-id"] = request;
  std::string key = "debug/";
  if (auto const error_type = arguments.text_or_null(4)) {
    std::string const type = checked_name(*error_type, "error_type");
    options["metadata"]["error-type"] = type;
    key.append("error-").append(direction.name).append("-").append(time_stamp()).append("-").append(type);
  } else {
    key.append("debug-").append(direction.name).append("-").append(time_stamp()).append("-").append(request);
  }
  key += direction.extension;
  target.store().check_key(key);
  std::string const options_json = options.dump();
  outbox::enqueue({.kind = outbox::Kind::put,
                   .store = target.handle.name,
                   .key = key,
                   .target_store = {},
                   .target_key = {},
                   .payload = data,
                   .options_json = options_json,
                   .reason = "put_debug_object"});
  return pg::varlena_datum(key);
}

}  // namespace
}  // namespace audiostore::temporary

AUDIOSTORE_FUNCTION(put_debug_object, audiostore::temporary::put_debug_object)
