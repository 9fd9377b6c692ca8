// What the live rows of a tracked column say is stored, by store and storage class: counted as the table's owner, since
// live_when is an expression that the owner wrote and whoever counts may be anybody, a superuser included.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pg/pg.hpp"
#include "tracking/column.hpp"

namespace audiostore::cost {

struct Usage {
  std::string store;
  std::string storage_class;  // empty: the rows do not say
  std::int64_t objects = 0;
  std::int64_t bytes = 0;
  std::int64_t unsized = 0;          // rows that state no size
  std::vector<std::int64_t> padded;  // for each minimum: bytes with smaller objects counted as that many
};

// Adds to a sum that stops at the largest value.
void add(Usage& sum, const Usage& more);

// Pages of a table, and as many of each of its partitions and children.
struct Pages {
  BlockNumber first = 0;
  BlockNumber end = 0;
};

// Counts now, in the caller's transaction; a table that is gone holds nothing.
std::vector<Usage> count_live(const tracking::TrackedColumn& column, std::span<const std::int64_t> minimums,
                              std::optional<Pages> pages = std::nullopt);

}  // namespace audiostore::cost
