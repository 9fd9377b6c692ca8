// What the policies on rows share: statements of a policy's owner, and the walk over a table in the order of age, batch
// by batch, partition by partition.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "pg/guard.hpp"

namespace audiostore::lifecycle {

// What a run has done.
struct RowCounts {
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
  std::int64_t kept = 0;
  std::string row_error;  // of the last one that was kept
};

// More than these cannot be changed: something is wrong with the policy, not with the rows.
inline constexpr std::int64_t kMostKept = 1000;
void check_kept(const RowCounts& counts);

// Runs a statement in the transaction, as whoever is the current user. Its rows are in pg::Rows.
std::uint64_t execute(const std::string& sql, std::span<const Oid> types, std::span<const Datum> values);

// Until the transaction's Spi, or the subtransaction, ends, nobody is waited for long: somebody who changes the table's
// definition does not hold up everything else that a worker does.
enum class Wait { briefly, not_at_all };
void limit_waits(Wait wait = Wait::briefly);

// Whether rows can be read in the order of the column.
bool has_index_on(Oid relation, const std::string& column);

// Throws unless the table is there and the role owns it.
void check_owned(Oid relation, Oid owner);

Datum tid_array(std::span<const ItemPointerData> tids);
Datum text_array_datum(std::span<const std::string> values);

class RowWalk {
 public:
  static constexpr std::size_t kBatch = 1000;

  explicit RowWalk(Oid relation);

  bool over() const { return leaves_.empty(); }
  Oid leaf() const { return leaves_.back(); }
  // Runs a statement as find_rows_sql() makes it for the leaf: its rows begin with ctid and age.
  std::size_t find(const std::string& sql, TimestampTz before);
  // The rows found are dealt with.
  void advance(std::size_t found);

  // What is still to be done comes after this place.
  struct Place {
    TimestampTz age = DT_NOBEGIN;
    ItemPointerData tid{};  // of the last row seen of this age; not valid: none
  };
  const Place& place() const { return place_; }
  // The rows that are younger are still to be done, and those of this age; none: none are.
  void advance_to(std::optional<TimestampTz> age);

 private:
  void next_leaf();

  std::vector<Oid> leaves_;  // still to be done, the next one last
  Place place_;
};

}  // namespace audiostore::lifecycle
