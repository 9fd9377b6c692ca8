// When to try again: one pure function for every place that repeats a request.
#pragma once

#include <optional>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/random.hpp"
#include "http/message.hpp"

namespace audiostore::http {

struct RetryPolicy {
  int max_attempts = 10;
  Milliseconds first_delay{200};  // upper bound of the first delay; doubles with every attempt
  Milliseconds max_delay{300000};
};

struct Failure {
  ErrorKind kind = ErrorKind::internal;
  std::optional<Milliseconds> retry_after;  // what the server asked for
};

// How long to wait after the attempt with this number (1: the first) has failed; nothing when it is not worth
// another one. Exponential backoff with full jitter: uniform between 0 and min(max_delay, first_delay *
// 2^(attempt-1)), and not before the server wants to see us again (but never longer than max_delay).
std::optional<Milliseconds> next_delay(int attempt, const RetryPolicy& policy, const Failure& failure, Random& random);

// The Retry-After header in seconds or as a date; nothing when absent or unreadable.
std::optional<Milliseconds> retry_after(const Response& response, TimePoint now);

}  // namespace audiostore::http
