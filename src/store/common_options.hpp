// The options that every provider has. What would surprise you: delete_grace is an SQL interval, so the
// PostgreSQL layer parses and checks it; here it is only known by name and left at its default.
#pragma once

#include <chrono>
#include <string_view>
#include <vector>

#include "store/config.hpp"

namespace audiostore::store {

const std::vector<std::string_view>& common_option_names();
bool is_common_option(std::string_view name);

// Reads the common options among these and passes over the others. Throws Error(invalid_option) that names the
// option, says what was seen, and hints at what is valid.
Common read_common(const Options& options);

// "500ms", "30s", "5 min", "1 day", "1h 30min": numbers with units from us to d. Throws Error(invalid_option).
std::chrono::microseconds parse_duration(std::string_view option, std::string_view value);

}  // namespace audiostore::store
