#include "lifecycle/tiering.hpp"

#include <array>
#include <set>

#include "pg/statement.hpp"
#include "pg/subtransaction.hpp"
#include "pg/time.hpp"
#include "tracking/holders.hpp"
#include "tracking/rights.hpp"

namespace audiostore::lifecycle {
namespace {

constexpr std::array<Oid, 4> kFindTypes{TIMESTAMPTZOID, TIMESTAMPTZOID, TIDOID, INT8OID};

void keep(RowCounts& counts, std::string why) {
  counts.kept++;
  counts.row_error = std::move(why);
}

void check_free(const std::string& store, const std::string& key) {
  tracking::Holders holders({.store = store, .without = InvalidOid, .purpose = tracking::Purpose::queueing});
  if (holders.empty() || holders.probe(key) == tracking::Holding::none) return;
  throw pg::SqlError(ERRCODE_OBJECT_IN_USE,
                     "object \"" + key + "\" of store \"" + store + "\" is held by another row already", {},
                     "Give the policy a to_prefix that nobody else uses.");
}

}  // namespace

Tiering::Tiering(TierRule rule, const Whose& whose)
    : rule_(std::move(rule)),
      whose_(whose),
      before_(pg::to_timestamptz(whose.before)),
      walk_((check_owned(rule_.rows.relation, whose.owner), rule_.rows.relation)) {}

bool Tiering::run_batch(RowCounts& counts) {
  if (walk_.over()) return false;
  limit_waits();
  std::size_t found = 0;
  std::vector<Candidate> const candidates = find(found);
  if (!candidates.empty()) begin(candidates, counts);
  check_kept({.rows = 0, .bytes = 0, .kept = failed_, .row_error = counts.row_error});
  walk_.advance(found);
  return !walk_.over();
}

// Each object once, though several rows may hold it.
std::vector<Tiering::Candidate> Tiering::find(std::size_t& found) {
  std::vector<Candidate> candidates;
  {
    tracking::OwnersRights const rights(whose_.owner);
    found = walk_.find(find_objects_sql(rule_, walk_.leaf()), before_);
    pg::Rows const rows;
    std::set<std::pair<std::string, std::string>> seen;
    for (std::size_t i = 0; i < found; i++) {
      Candidate one{
          .object = {.store = rows.text(i, 5), .key = rows.text(i, 4)},
          .storage_class = rows.text(i, 6),
          .bytes = rows.null(i, 3) ? std::nullopt : std::optional(std::max<std::int64_t>(rows.bigint(i, 3), 0))};
      if (seen.emplace(one.object.store, one.object.key).second) candidates.push_back(std::move(one));
    }
  }
  std::vector<ObjectName> objects;
  objects.reserve(candidates.size());
  for (Candidate const& one : candidates) objects.push_back(one.object);
  std::vector<bool> const busy = under_way(objects);
  std::size_t next = 0;
  std::erase_if(candidates, [&](Candidate const&) { return busy[next++]; });
  return candidates;
}

const Tiering::WayOrError& Tiering::way_of(const Candidate& candidate) {
  auto const known = ways_.try_emplace({candidate.object.store, candidate.storage_class});
  WayOrError& found = known.first->second;
  if (!known.second) return found;
  auto const failure =
      pg::attempt([&] { found.way = find_way(rule_, whose_.owner, candidate.object.store, candidate.storage_class); });
  if (failure) found.error = failure->message;
  return found;
}

// What fails is halved until the one that is to blame is found.
void Tiering::begin(std::span<const Candidate> candidates, RowCounts& counts) {
  RowCounts begun = counts;
  auto const failure = pg::attempt([&] {
    for (Candidate const& candidate : candidates) {
      WayOrError const& found = way_of(candidate);
      if (!found.way) {
        keep(begun, found.error);
        continue;
      }
      begin_one(candidate, *found.way);
      begun.rows++;
      begun.bytes += candidate.bytes.value_or(0);
    }
  });
  if (!failure) {
    counts = begun;
    return;
  }
  if (candidates.size() == 1) {
    keep(counts, failure->message);
    failed_++;
    return;
  }
  if (failed_ > kMostKept) return;
  begin(candidates.first(candidates.size() / 2), counts);
  begin(candidates.subspan(candidates.size() / 2), counts);
}

void Tiering::begin_one(const Candidate& candidate, const Way& way) const {
  Move move{.policy = whose_.policy,
            .store = candidate.object.store,
            .key = candidate.object.key,
            .to_store = way.to_store,
            .storage_class = way.storage_class,
            .bytes = candidate.bytes};
  if (way.to) {
    move.to_key = rule_.target.to_prefix + candidate.object.key;
    way.to->store->check_key(move.to_key);
    check_free(move.to_store, move.to_key);
  }
  begin_move(move);
}

// EXPLAIN checks privileges too.
void Tiering::check() const {
  {
    tracking::OwnersRights const rights(whose_.owner);
    ItemPointerData tid{};
    std::array<Datum, 4> const find{TimestampTzGetDatum(before_), TimestampTzGetDatum(before_), PointerGetDatum(&tid),
                                    Int64GetDatum(1)};
    execute("EXPLAIN " + find_objects_sql(rule_, rule_.rows.relation), kFindTypes, find);
    std::array<std::string, 1> const no_texts{""};
    std::array<ItemPointerData, 1> const no_tids{};
    constexpr std::array<Oid, 3> kLeadTypes{TIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID};
    std::array<Datum, 3> const values{tid_array(no_tids), text_array_datum(no_texts), text_array_datum(no_texts)};
    execute("EXPLAIN " + lead_over_sql(rule_, rule_.rows.relation), kLeadTypes, values);
  }
  if (!rule_.store.empty()) find_way(rule_, whose_.owner, rule_.store, rule_.target.storage_class);
}

RowCounts Tiering::count() const {
  tracking::OwnersRights const rights(whose_.owner);
  constexpr std::array<Oid, 1> kTypes{TIMESTAMPTZOID};
  std::array<Datum, 1> const values{TimestampTzGetDatum(before_)};
  execute(count_objects_sql(rule_), kTypes, values);
  pg::Rows const result;
  return {.rows = result.bigint(0, 1), .bytes = result.bigint(0, 2), .kept = 0, .row_error = {}};
}

}  // namespace audiostore::lifecycle
