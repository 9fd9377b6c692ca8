// Between C++ strings and PostgreSQL's values. What would surprise you: views point into palloc'ed memory of the
// current context; copy what has to outlive it.
#pragma once

#include <string_view>

#include "pg/guard.hpp"

namespace audiostore::pg {

// The octets of a text, varchar or bytea value, detoasted.
inline std::string_view view(Datum value) {
  auto* packed = reinterpret_cast<struct varlena*>(DatumGetPointer(value));
  if (VARATT_IS_COMPRESSED(packed) || VARATT_IS_EXTERNAL(packed))
    packed = call([&] { return pg_detoast_datum_packed(packed); });
  return {VARDATA_ANY(packed), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(packed))};
}

inline std::string_view name_view(Datum value) { return NameStr(*DatumGetName(value)); }

// A text or bytea value: both are a length and octets.
inline Datum varlena_datum(std::string_view octets) {
  return call(
      [&] { return PointerGetDatum(cstring_to_text_with_len(octets.data(), static_cast<int>(octets.size()))); });
}

// A string that may be NULL, for the `field` of a row made of Datums.
inline NullableDatum text_or_null(std::string_view text) {
  return text.empty() ? NullableDatum{Datum{0}, true} : NullableDatum{varlena_datum(text), false};
}

// Whether these octets, from outside, can be a text value here: valid in the server's encoding and without NUL.
inline bool valid_text(std::string_view octets) {
  return pg_verify_mbstr(GetDatabaseEncoding(), octets.data(), static_cast<int>(octets.size()), true);
}

}  // namespace audiostore::pg
