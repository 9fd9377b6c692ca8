// How long to pause after failures in a row: doubling up to a limit, with full jitter above half of it, so that many
// workers that failed together do not come back together.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.hpp"
#include "base/random.hpp"

namespace audiostore::worker {

struct Backoff {
  Milliseconds first{250};
  Milliseconds limit{60'000};

  // The pause after this many failures in a row (1, 2, ...).
  Milliseconds pause(int failures, Random& random) const {
    Milliseconds full = first;
    for (int i = 1; i < failures && full < limit; i++) full *= 2;
    full = std::min(full, limit);
    auto const half = static_cast<double>(full.count()) / 2;
    return Milliseconds{static_cast<Milliseconds::rep>(half + half * random.fraction())};
  }
};

}  // namespace audiostore::worker
