// When a figure crosses a threshold, and when it is back. Pure: values and times come in as arguments.
//
//   inside ──beyond──► crossed ──beyond for `lasting`──► raised ──back by the hysteresis──► inside
//                         └─────────────not beyond──────────────────────────────────────────►┘
#pragma once

#include <chrono>
#include <cmath>
#include <optional>

#include "base/clock.hpp"

namespace audiostore::watch {

struct Threshold {
  std::optional<double> above;
  std::optional<double> below;
  std::optional<double> hysteresis;  // else a part of the threshold
  std::chrono::microseconds lasting{};
};

// Where a rule stands that is beyond its threshold.
struct Crossing {
  TimePoint since;
  bool raised = false;
};

struct Verdict {
  std::optional<Crossing> crossing;  // none: inside
  bool raise = false;
  bool clear = false;
};

inline constexpr double kHysteresis = 0.05;  // of the threshold

inline double way_back(double threshold, std::optional<double> hysteresis) {
  return hysteresis.value_or(std::abs(threshold) * kHysteresis);
}

// Beyond the threshold; once raised, not back by the hysteresis yet.
inline bool beyond(const Threshold& limits, double value, bool raised) {
  auto const slack = [&](double threshold) { return raised ? way_back(threshold, limits.hysteresis) : 0.0; };
  return (limits.above && value > *limits.above - slack(*limits.above)) ||
         (limits.below && value < *limits.below + slack(*limits.below));
}

inline Verdict judge(const Threshold& limits, std::optional<Crossing> before, double value, TimePoint now) {
  bool const was_raised = before && before->raised;
  if (!beyond(limits, value, was_raised)) return {.crossing = std::nullopt, .raise = false, .clear = was_raised};
  // A clock that was set back begins the time anew.
  TimePoint const since = before && before->since <= now ? before->since : now;
  bool const raised = was_raised || now - since >= limits.lasting;
  return {.crossing = Crossing{.since = since, .raised = raised}, .raise = raised && !was_raised, .clear = false};
}

}  // namespace audiostore::watch
