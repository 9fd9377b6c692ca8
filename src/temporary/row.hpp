// A row of audiostore.temporary_objects, locked for what a function is about to do with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pg/guard.hpp"

namespace audiostore::temporary {

struct Row {
  std::string store;
  std::string key;
  std::string state;
  TimestampTz expires_at = 0;
  std::string promoted_to_store;
  std::string promoted_to;
  std::int64_t operation = 0;  // 0: none

  bool leased_at(TimestampTz now) const { return state == "leased" && expires_at > now; }
};

// Inside a Spi, acting as the owner of the extension's tables. Waits for whoever has it locked.
std::optional<Row> lock_row(std::string_view store, std::string_view key);

std::string described(std::string_view store, std::string_view key);
[[noreturn]] void throw_unknown(std::string_view store, std::string_view key);
// 55000: it is not on a lease any more.
[[noreturn]] void throw_not_leased(const Row& row);

}  // namespace audiostore::temporary
