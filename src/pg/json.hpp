// Between jsonb values and C++: the flat objects of strings that headers, queries and metadata are.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "pg/guard.hpp"

namespace audiostore::pg {

// Members of a jsonb object whose values are strings, numbers or booleans; `what` names it in the error (22023) that
// anything else gives.
std::map<std::string, std::string> string_map(Datum jsonb, const char* what);

// A jsonb object of strings.
Datum jsonb_object(const std::map<std::string, std::string>& members);

// JSON text to jsonb.
Datum jsonb_from_text(const std::string& text);

}  // namespace audiostore::pg
