// cache_key(): SHA-256 over the bytes that JSON.stringify({text, voiceModelId, sessionId, sequenceNumber, settings})
// gives; what is NULL here is undefined there, and left out.
#include "base/ecmascript.hpp"
#include "base/encoding.hpp"
#include "base/hash.hpp"
#include "pg/arguments.hpp"

namespace audiostore::cache {
namespace {

class Object {
 public:
  std::string& member(std::string_view name) {
    text_ += text_.size() == 1 ? "\"" : ",\"";
    text_ += name;
    text_ += "\":";
    return text_;
  }
  std::string close() && {
    text_ += '}';
    return std::move(text_);
  }

 private:
  std::string text_ = "{";
};

Datum key(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  Object object;
  constexpr const char* kTexts[] = {"text", "voiceModelId", "sessionId"};
  for (int i = 0; i < 3; i++) {
    if (auto const text = arguments.text_or_null(i)) ecmascript::append_string(object.member(kTexts[i]), *text);
  }
  if (!arguments.null(3)) object.member("sequenceNumber") += std::to_string(DatumGetInt32(arguments.datum(3, "")));
  if (auto const settings = arguments.text_or_null(4)) ecmascript::append_json(object.member("settings"), *settings);
  auto const digest = sha256(std::move(object).close());
  return pg::varlena_datum(hex(view(digest)));
}

}  // namespace
}  // namespace audiostore::cache

AUDIOSTORE_FUNCTION(cache_key, audiostore::cache::key)
