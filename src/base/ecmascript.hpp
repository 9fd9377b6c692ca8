// JSON.stringify() of ECMAScript, byte for byte: for hashes that programs in JavaScript compute over the same values.
// What would surprise you: it is not a matter of white space alone. Numbers are doubles and are written their way,
// members whose names are array indices come first, of two members of one name the last counts, lone surrogates are
// written as escapes.
#pragma once

#include <string>
#include <string_view>

namespace audiostore::ecmascript {

// A string, given as UTF-8 in which lone surrogates may be encoded like other code points. Appends it in quotes.
void append_string(std::string& target, std::string_view text);

// Number::toString(), and null for what is not finite.
void append_number(std::string& target, double number);

// JSON.stringify(JSON.parse(json)), appended. Throws Error(invalid_argument) for what is not JSON, or too deep.
void append_json(std::string& target, std::string_view json);

}  // namespace audiostore::ecmascript
