// The grace period of a store: deletes wait at least that long after the commit that let go of the object.
#pragma once

#include <string_view>

#include "pg/guard.hpp"

namespace audiostore::outbox {

struct Grace {
  std::int64_t microseconds = 0;

  // The earliest time of a delete queued now. A second is added to a grace period, so that only transactions
  // that go on for longer than that have to correct the time when they commit.
  TimestampTz due_now() const {
    TimestampTz const now = GetCurrentTimestamp();
    return microseconds == 0 ? now : now + microseconds + kSlack;
  }

  static constexpr std::int64_t kSlack = USECS_PER_SEC;
};

// Option delete_grace of the store; none when the store does not exist any more.
Grace grace_of(std::string_view store);

}  // namespace audiostore::outbox
