// A retention policy's run over the rows of its table, batch by batch, each inside the caller's transaction. A batch
// that fails is halved until the rows that are to blame are found; they are passed over, and the others go.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "lifecycle/row_rule.hpp"
#include "lifecycle/row_statements.hpp"

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
  std::vector<Row> find();
  void change(std::span<const Row> rows, RowCounts& counts) const;

  RowRule rule_;
  Oid owner_;
  TimestampTz before_;
  RowWalk walk_;
};

}  // namespace audiostore::lifecycle
