// What is stored where, and what it costs a month. Small databases are counted now; of large ones the last accounting
// is as good, if it is not old, and else some blocks of each table tell.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/facts.hpp"

namespace audiostore::report {

struct StoredLine {
  std::string store;
  std::string provider;
  std::string storage_class;
  std::int64_t objects = 0;
  std::int64_t bytes = 0;
  std::optional<double> monthly_cost;
  std::string currency;
  std::string reason;  // why there is no price, or what the figures leave out
};

struct Stored {
  enum class How { counted, accounted, estimated };
  How how = How::counted;
  std::optional<TimePoint> accounted_at;
  double share = 1;               // estimated: of the blocks that were looked at
  std::vector<StoredLine> lines;  // the largest first
  std::vector<std::string> gaps;  // tables that could not be counted, and why

  std::int64_t objects() const;
  std::int64_t bytes() const;
};

Stored what_is_stored(const Period& period);

}  // namespace audiostore::report
