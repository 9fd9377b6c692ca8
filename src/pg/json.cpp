#include "pg/json.hpp"

#include "pg/datum.hpp"

namespace audiostore::pg {
namespace {

[[noreturn]] void throw_not_flat(const char* what) {
  throw SqlError(ERRCODE_INVALID_PARAMETER_VALUE, std::string(what) + " must be a JSON object of strings", {},
                 R"(Write it like '{"name": "value"}'.)");
}

std::string scalar(JsonbValue const& value, const char* what) {
  switch (value.type) {
    case jbvString: return {value.val.string.val, static_cast<std::size_t>(value.val.string.len)};
    case jbvBool: return value.val.boolean ? "true" : "false";
    case jbvNumeric:
      return call(
          [&] { return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value.val.numeric))); });
    default: throw_not_flat(what);
  }
}

}  // namespace

std::map<std::string, std::string> string_map(Datum jsonb, const char* what) {
  Jsonb* const document = call([&] { return DatumGetJsonbP(jsonb); });
  if (!JB_ROOT_IS_OBJECT(document)) throw_not_flat(what);
  std::map<std::string, std::string> members;
  if (JB_ROOT_COUNT(document) == 0) return members;
  JsonbIterator* position = call([&] { return JsonbIteratorInit(&document->root); });
  JsonbValue value;
  std::string name;
  while (true) {
    JsonbIteratorToken const token = call([&] { return JsonbIteratorNext(&position, &value, true); });
    if (token == WJB_DONE) return members;
    if (token == WJB_KEY) {
      name = scalar(value, what);
    } else if (token == WJB_VALUE) {
      members.insert_or_assign(name, scalar(value, what));
    }
  }
}

Datum jsonb_object(const std::map<std::string, std::string>& members) {
  return call([&] {
    JsonbParseState* state = nullptr;
    pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
    for (auto const& [name, text] : members) {
      JsonbValue value;
      value.type = jbvString;
      value.val.string.len = static_cast<int>(name.size());
      value.val.string.val = const_cast<char*>(name.data());
      pushJsonbValue(&state, WJB_KEY, &value);
      value.val.string.len = static_cast<int>(text.size());
      value.val.string.val = const_cast<char*>(text.data());
      pushJsonbValue(&state, WJB_VALUE, &value);
    }
    return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr)));
  });
}

Datum jsonb_from_text(const std::string& text) {
  return call([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.c_str())); });
}

}  // namespace audiostore::pg
