// One circuit breaker for each store: when credentials, bucket or network fail, the store is paused as a whole and
// its operations keep their attempts. Pure: time and randomness come in as arguments.
#pragma once

#include <algorithm>

#include "base/clock.hpp"
#include "base/random.hpp"

namespace audiostore::outbox {

class Breaker {
 public:
  bool open(TimePoint now) const { return failures_ > 0 && now < retry_at_; }
  bool tripped() const { return failures_ > 0; }
  TimePoint retry_at() const { return retry_at_; }
  int failures() const { return failures_; }  // in a row

  // The store as a whole failed: pause for up to twice as long as before, at most longest.
  void trip(TimePoint now, Milliseconds longest, Random& random) {
    constexpr Milliseconds::rep kFirst = 500;
    constexpr int kMostDoublings = 20;
    auto const ceiling = std::min<Milliseconds::rep>(longest.count(), kFirst << std::min(failures_, kMostDoublings));
    failures_++;
    // Half fixed, half jitter: a pause of nearly nothing would be no pause.
    auto const half = std::max<Milliseconds::rep>(ceiling / 2, 1);
    retry_at_ =
        now + Milliseconds(half + static_cast<Milliseconds::rep>(random.fraction() * static_cast<double>(half)));
  }

  void close() { failures_ = 0; }

 private:
  int failures_ = 0;
  TimePoint retry_at_{};
};

}  // namespace audiostore::outbox
