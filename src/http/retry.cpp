#include "http/retry.hpp"

#include <algorithm>
#include <charconv>

#include "base/time_format.hpp"

namespace audiostore::http {

std::optional<Milliseconds> next_delay(int attempt, const RetryPolicy& policy, const Failure& failure, Random& random) {
  if (!transient(failure.kind) || failure.kind == ErrorKind::cancelled || attempt >= policy.max_attempts) {
    return std::nullopt;
  }
  Milliseconds bound = std::min(policy.first_delay, policy.max_delay);
  for (int i = 1; i < attempt && bound < policy.max_delay; ++i) bound = std::min(bound * 2, policy.max_delay);
  Milliseconds delay{static_cast<Milliseconds::rep>(random.fraction() * static_cast<double>(bound.count() + 1))};
  if (failure.retry_after) delay = std::max(delay, *failure.retry_after);
  return std::min(delay, policy.max_delay);
}

std::optional<Milliseconds> retry_after(const Response& response, TimePoint now) {
  const auto value = find(response.headers, "retry-after");
  if (!value) return std::nullopt;
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), seconds);
  if (error == std::errc{} && end == value->data() + value->size()) return std::chrono::seconds{seconds};
  if (const auto at = parse_rfc1123(*value)) {
    return std::max(Milliseconds{0}, std::chrono::ceil<Milliseconds>(*at - now));
  }
  return std::nullopt;
}

}  // namespace audiostore::http
