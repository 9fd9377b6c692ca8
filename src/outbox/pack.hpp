// A pack as a value: a row of audiostore.operation_packs.
#pragma once

#include <cstdint>
#include <string>

#include "pg/guard.hpp"

namespace audiostore::outbox {

enum class PackState { pending, running, dead };

struct Pack {
  ItemPointerData tid{};  // where it was read or written
  std::int64_t id = 0;
  TimestampTz enqueued_at = 0;
  TimestampTz not_before = 0;
  TimestampTz leased_until = DT_NOBEGIN;  // none
  std::int64_t statement = 0;
  int attempts = 0;
  int claimed_by = 0;  // none
  int key_count = 0;
  bool in_doubt = false;
  PackState state = PackState::pending;
  std::string store;
  std::string range_end;
  std::string reason;
  std::string last_error;
  std::string keys;  // front-coded
};

// Keys beyond this length are queued as rows: the largest has to fit into an entry of an index.
constexpr std::size_t kLongestPackedKey = 2000;

}  // namespace audiostore::outbox
