// A retention policy's run over the rows of its table, batch by batch, each inside the caller's transaction.
//
// Where the age has an index, a batch of deletes is one statement over a range of ages, which is as quick as it gets.
// It may meet a row that somebody has locked, or one that cannot go. Then it is as if it had not been, and the batch is
// done row by row: those that nobody has locked are locked, and deleted together; when that fails they are halved until
// the rows that are to blame are found; these are passed over, and the others go.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "lifecycle/row_rule.hpp"
#include "lifecycle/row_statements.hpp"
#include "pg/statement.hpp"

namespace audiostore::lifecycle {

class Retention {
 public:
  // Throws unless the owner owns the table still.
  Retention(RowRule rule, Oid owner, TimePoint before);

  // Works off the next batch. False: that was the last one.
  bool run_batch(RowCounts& counts);

  // Throws what PostgreSQL says about the statements, without running them.
  void check() const;

  // What a run would touch now.
  RowCounts count() const;

 private:
  struct Row {
    ItemPointerData tid;
    std::int64_t bytes;
  };
  // The statements of delete_range() on one leaf.
  struct Ranges {
    Ranges(const RowRule& rule, Oid relation, WithinAge within);
    Oid leaf;
    WithinAge within_age;
    bool has_index;
    pg::OwnedStatement find_edge;
    pg::OwnedStatement remove;
  };
  // False: nothing has happened, and the batch has to be done row by row.
  bool delete_range(RowCounts& counts);
  bool can_delete_ranges();
  void change_rows(RowCounts& counts);
  std::vector<Row> find();
  void change(std::span<const Row> rows, RowCounts& counts) const;

  RowRule rule_;
  Oid owner_;
  TimestampTz before_;
  RowWalk walk_;
  std::optional<Ranges> ranges_;
};

}  // namespace audiostore::lifecycle
