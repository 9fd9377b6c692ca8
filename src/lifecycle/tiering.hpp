// A tiering policy's run over the rows of its table: objects that should lie elsewhere are put on their way, batch by
// batch, each inside the caller's transaction. The rows are not touched: hand_over.hpp leads them over when the object
// has really moved.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lifecycle/moves.hpp"
#include "lifecycle/row_statements.hpp"
#include "lifecycle/tier_rule.hpp"
#include "lifecycle/way.hpp"

namespace audiostore::lifecycle {

// As much as a policy may have under way.
inline constexpr std::size_t kMostUnderWay = 10'000;

class Tiering {
 public:
  struct Whose {
    std::int64_t policy = 0;
    Oid owner = InvalidOid;
    TimePoint before{};
  };
  // Throws unless the owner owns the table still.
  Tiering(TierRule rule, const Whose& whose);

  // Puts the objects of the next batch on their way. False: that was the last one.
  bool run_batch(RowCounts& counts);

  // Throws what PostgreSQL says about the statements, without running them, and what the stores cannot do.
  void check() const;

  // What a run would touch now.
  RowCounts count() const;

  const TierRule& rule() const { return rule_; }

 private:
  struct Candidate {
    ObjectName object;
    std::string storage_class;
    std::optional<std::int64_t> bytes;
  };
  struct WayOrError {
    std::optional<Way> way;
    std::string error;
  };
  std::vector<Candidate> find(std::size_t& found);
  void begin(std::span<const Candidate> candidates, RowCounts& counts);
  void begin_one(const Candidate& candidate, const Way& way) const;
  const WayOrError& way_of(const Candidate& candidate);

  TierRule rule_;
  Whose whose_;
  TimestampTz before_;
  RowWalk walk_;
  std::int64_t failed_ = 0;  // what no way leads from does not count: it may be many, and is known
  std::map<std::pair<std::string, std::string>, WayOrError> ways_;  // by store and class
};

}  // namespace audiostore::lifecycle
