// errno as an Error: which kind it is, the object it concerns, and what the administrator can do about it.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace audiostore::store::local {

// `action` as in "could not write object"; `name` is the key or directory, quoted by this function.
Error failure(int error_number, std::string_view action, std::string_view name);

}  // namespace audiostore::store::local
