// A pack whose keys are all gone is one row to remove. Otherwise what is left of it becomes runs of keys with the same
// outcome; the dead ones alone, as each of them can be retried or cancelled.
#include "outbox/settle_packs.hpp"

#include "outbox/pack_claims.hpp"
#include "pg/statement.hpp"

namespace audiostore::outbox {
namespace {

using Result = Outcome::Result;

bool all_done(const PackOutcome& pack) {
  return std::all_of(pack.outcomes.begin(), pack.outcomes.end(),
                     [](const Outcome& outcome) { return outcome.result == Result::done; });
}

bool dead(const Outcome& outcome) { return outcome.result == Result::failed && !outcome.retry_at; }

// Two neighbours may stay in one pack. Their times of retry differ by chance only.
bool alike(const Outcome& a, const Outcome& b) {
  return a.result == b.result && a.in_doubt == b.in_doubt && a.error == b.error && !dead(a) && !dead(b);
}

void apply(const Outcome& outcome, Pack& part) {
  part.state = dead(outcome) ? PackState::dead : PackState::pending;
  part.leased_until = DT_NOBEGIN;
  part.claimed_by = 0;
  part.in_doubt = part.in_doubt || outcome.in_doubt;
  if (outcome.result == Result::unsent) {
    // An attempt that may have been sent counts.
    if (!outcome.in_doubt) part.attempts = std::max(part.attempts - 1, 0);
    return;
  }
  part.last_error = outcome.error;
  part.not_before = outcome.retry_at ? pg::to_timestamp(*outcome.retry_at) : DT_NOEND;
}

void keep_the_rest(PackClaims& table, const Pack& pack, const std::vector<Outcome>& outcomes) {
  PackedKeys const unpacked(pack);
  std::vector<std::string_view> const keys = unpacked.views();
  // What has no outcome has not been sent.
  std::vector<Outcome> all(keys.size());
  for (Outcome const& outcome : outcomes) {
    auto const position = static_cast<std::size_t>(outcome.id - pack.id);
    if (position < all.size()) all[position] = outcome;
  }
  std::vector<Pack> parts;
  for (std::size_t first = 0; first < keys.size();) {
    std::size_t end = first + 1;
    while (end < keys.size() && alike(all[first], all[end])) end++;
    if (all[first].result != Result::done) {
      apply(all[first], parts.emplace_back(part_of(pack, keys, first, end - first)));
    }
    first = end;
  }
  table.replace(pack, parts);
}

void remove_elsewhere(const std::vector<std::int64_t>& ids) {
  static pg::Statement statement(
      "DELETE FROM audiostore.operation_packs WHERE id = ANY($1) AND state = 'running' AND claimed_by = pg_backend_pid()",
      {INT8ARRAYOID});
  statement.execute({pg::bigint_array(ids)});
}

}  // namespace

void settle_packs(const std::vector<PackOutcome>& packs) {
  if (packs.empty()) return;
  PackClaims table;
  std::vector<std::int64_t> elsewhere;
  for (PackOutcome const& pack : packs) {
    if (all_done(pack)) {
      if (!table.remove_claimed(pack.id, pack.tid)) elsewhere.push_back(pack.id);
    } else if (auto const found = table.find_claimed(pack.id)) {
      keep_the_rest(table, *found, pack.outcomes);
    }
  }
  if (!elsewhere.empty()) remove_elsewhere(elsewhere);
}

void extend_pack_leases(const std::vector<std::int64_t>& ids, TimePoint until) {
  static pg::Statement statement(
      "UPDATE audiostore.operation_packs SET leased_until = $2 "
      "WHERE id = ANY($1) AND state = 'running' AND claimed_by = pg_backend_pid()",
      {INT8ARRAYOID, TIMESTAMPTZOID});
  statement.execute({pg::bigint_array(ids), TimestampTzGetDatum(pg::to_timestamp(until))});
}

}  // namespace audiostore::outbox
