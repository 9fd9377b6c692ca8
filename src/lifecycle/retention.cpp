#include "lifecycle/retention.hpp"

#include <array>

#include "pg/statement.hpp"
#include "pg/subtransaction.hpp"
#include "pg/time.hpp"
#include "tracking/rights.hpp"

namespace audiostore::lifecycle {
namespace {

constexpr std::array<Oid, 4> kFindTypes{TIMESTAMPTZOID, TIMESTAMPTZOID, TIDOID, INT8OID};
constexpr std::array<Oid, 1> kChangeTypes{TIDARRAYOID};

// What would be checked at the end of the transaction would fail all of it, and must not run by itself here.
void check_constraints_at_once() { execute("SET CONSTRAINTS ALL IMMEDIATE", {}, {}); }

// A trigger or a rule may keep rows, and then somebody has to know which ones were asked for.
bool may_keep_rows(Oid relation) {
  return pg::call([relation] {
    Relation const table = table_open(relation, AccessShareLock);
    bool const keeps =
        table->rd_rules != nullptr || (table->trigdesc != nullptr && table->trigdesc->trig_delete_before_row);
    table_close(table, NoLock);
    return keeps;
  });
}

FindRows find_locked() { return {.columns = {}, .where = {}, .locking = " FOR UPDATE SKIP LOCKED"}; }

template <class Row>
Datum tids_of(std::span<const Row> rows) {
  std::vector<ItemPointerData> tids;
  tids.reserve(rows.size());
  for (Row const& row : rows) tids.push_back(row.tid);
  return tid_array(tids);
}

}  // namespace

Retention::Retention(RowRule rule, Oid owner, TimePoint before)
    : rule_(std::move(rule)),
      owner_(owner),
      before_(pg::to_timestamptz(before)),
      walk_((check_owned(rule_.relation, owner), rule_.relation)) {}

bool Retention::run_batch(RowCounts& counts) {
  if (walk_.over()) return false;
  tracking::OwnersRights const rights(owner_);
  limit_waits();
  if (!delete_range(counts)) change_rows(counts);
  check_kept(counts);
  return !walk_.over();
}

// What is known of the leaf is found out once, but for triggers, which may come in the middle of a run.
bool Retention::can_delete_ranges() {
  if (rule_.action != "delete" || rule_.age_column.empty() || may_keep_rows(walk_.leaf())) return false;
  auto const within_age = ItemPointerIsValid(&walk_.place().tid) ? WithinAge::yes : WithinAge::no;
  if (!ranges_ || ranges_->leaf != walk_.leaf() || ranges_->within_age != within_age) {
    ranges_.emplace(rule_, walk_.leaf(), within_age);
  }
  return ranges_->has_index;
}

Retention::Ranges::Ranges(const RowRule& rule, Oid relation, WithinAge within)
    : leaf(relation),
      within_age(within),
      has_index(has_index_on(relation, rule.age_column)),
      find_edge(find_edge_sql(rule, relation, within), {TIMESTAMPTZOID, TIMESTAMPTZOID, TIDOID, INT8OID}),
      remove(delete_range_sql(rule, relation, within), {TIMESTAMPTZOID, TIMESTAMPTZOID, TIDOID, TIMESTAMPTZOID}) {}

bool Retention::delete_range(RowCounts& counts) {
  if (!can_delete_ranges()) return false;
  RowWalk::Place place = walk_.place();
  std::array<Datum, 4> values{TimestampTzGetDatum(before_), TimestampTzGetDatum(place.age), PointerGetDatum(&place.tid),
                              Int64GetDatum(static_cast<std::int64_t>(RowWalk::kBatch))};
  std::optional<TimestampTz> edge;
  if (ranges_->find_edge.execute(values) > 0) edge = pg::Rows().timestamp(0, 1);
  // More rows of one age than a batch may have?
  if (edge && *edge <= place.age) return false;
  values[3] = TimestampTzGetDatum(edge.value_or(before_));
  std::uint64_t deleted = 0;
  std::int64_t bytes = 0;
  auto const failure = pg::attempt([&] {
    limit_waits(Wait::not_at_all);
    check_constraints_at_once();
    deleted = ranges_->remove.execute(values);
    pg::Rows const sizes;
    for (std::size_t i = 0; i < sizes.size(); i++) bytes += sizes.null(i, 1) ? 0 : sizes.bigint(i, 1);
  });
  if (failure) return false;
  counts.rows += static_cast<std::int64_t>(deleted);
  counts.bytes += bytes;
  walk_.advance_to(edge);
  return true;
}

void Retention::change_rows(RowCounts& counts) {
  std::vector<Row> const rows = find();
  if (!rows.empty()) change(rows, counts);
  walk_.advance(rows.size());
}

std::vector<Retention::Row> Retention::find() {
  std::size_t const found = walk_.find(find_rows_sql(rule_, walk_.leaf(), find_locked()), before_);
  pg::Rows const result;
  std::vector<Row> rows(found);
  for (std::size_t i = 0; i < found; i++) {
    rows[i].tid = *reinterpret_cast<ItemPointer>(DatumGetPointer(result.datum(i, 1).value));
    rows[i].bytes = result.null(i, 3) ? 0 : result.bigint(i, 3);
  }
  return rows;
}

void Retention::change(std::span<const Row> rows, RowCounts& counts) const {
  std::uint64_t changed = 0;
  auto const failure = pg::attempt([&] {
    check_constraints_at_once();
    std::array<Datum, 1> const values{tids_of(rows)};
    changed = execute(change_rows_sql(rule_, walk_.leaf()), kChangeTypes, values);
  });
  if (!failure) {
    counts.rows += static_cast<std::int64_t>(changed);
    // A trigger may have kept some.
    counts.kept += static_cast<std::int64_t>(rows.size() - std::min<std::size_t>(changed, rows.size()));
    for (Row const& row : rows) counts.bytes += row.bytes;
    return;
  }
  if (failure->sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || failure->sqlstate == ERRCODE_QUERY_CANCELED) {
    throw pg::SqlError(failure->sqlstate, failure->message, failure->detail, failure->hint);
  }
  if (rows.size() == 1) {
    counts.kept++;
    counts.row_error = failure->detail.empty() ? failure->message : failure->message + ": " + failure->detail;
    return;
  }
  if (counts.kept > kMostKept) return;
  change(rows.first(rows.size() / 2), counts);
  change(rows.subspan(rows.size() / 2), counts);
}

// EXPLAIN checks privileges too.
void Retention::check() const {
  tracking::OwnersRights const rights(owner_);
  ItemPointerData tid{};
  std::array<Datum, 4> const find{TimestampTzGetDatum(before_), TimestampTzGetDatum(before_), PointerGetDatum(&tid),
                                  Int64GetDatum(1)};
  execute("EXPLAIN " + find_rows_sql(rule_, rule_.relation, find_locked()), kFindTypes, find);
  std::array<Row, 1> const none{Row{.tid = tid, .bytes = 0}};
  std::array<Datum, 1> const change{tids_of(std::span<const Row>(none))};
  execute("EXPLAIN " + change_rows_sql(rule_, rule_.relation), kChangeTypes, change);
}

RowCounts Retention::count() const {
  tracking::OwnersRights const rights(owner_);
  constexpr std::array<Oid, 1> kTypes{TIMESTAMPTZOID};
  std::array<Datum, 1> const values{TimestampTzGetDatum(before_)};
  execute(count_rows_sql(rule_, {}), kTypes, values);
  pg::Rows const result;
  return {.rows = result.bigint(0, 1), .bytes = result.bigint(0, 2), .kept = 0, .row_error = {}};
}

}  // namespace audiostore::lifecycle
