#include "lifecycle/tier_rule.hpp"

#include "pg/statement.hpp"

namespace audiostore::lifecycle {
namespace {

std::string column(const std::string& name) { return "t." + quoted_name(name); }

std::string store_sql(const TierRule& rule) {
  return rule.store_column.empty() ? quoted_literal(rule.store) : column(rule.store_column);
}

std::string class_sql(const TierTarget& target) {
  if (!target.class_expression.empty()) return "(" + target.class_expression + ")";
  return target.storage_class.empty() ? "NULL::text" : quoted_literal(target.storage_class);
}

// The row owns an object that is not where it should be.
std::string elsewhere_sql(const TierRule& rule) {
  TierTarget const& target = rule.target;
  std::string const key = column(target.key_column);
  std::string sql = " AND (" + rule.live_when + ") AND " + key + " <> ''";
  if (!rule.store_column.empty()) sql += " AND " + store_sql(rule) + " IS NOT NULL";
  if (!target.moves()) {
    sql += " AND (" + different_sql(rule.rows) + ")";
    return target.class_expression.empty() ? sql : sql + " AND " + class_sql(target) + " IS NOT NULL";
  }
  std::string const below = "pg_catalog.starts_with(" + key + ", " + quoted_literal(target.to_prefix) + ")";
  if (rule.store_column.empty() || target.to_store.empty()) return sql + " AND NOT " + below;
  std::string const there = store_sql(rule) + " = " + quoted_literal(target.to_store);
  return sql + " AND NOT (" + (target.to_prefix.empty() ? there : there + " AND " + below) + ")";
}

}  // namespace

TierRule make_tier_rule(const RowRule& rows, const TierTarget& target) {
  static pg::Statement find(
      "SELECT relation::oid, store, store_column::text, size_column::text, live_when FROM audiostore.tracked_columns"
      " WHERE key_column = $2 AND (relation = $1"
      "  OR relation IN (SELECT relid FROM pg_partition_ancestors($1::regclass))) ORDER BY relation <> $1 LIMIT 1",
      {OIDOID, TEXTOID});
  if (find.execute({ObjectIdGetDatum(rows.relation), pg::text_argument(target.key_column)}) == 0) {
    throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "column \"" + target.key_column + "\" is not tracked", {},
                       "Track it with audiostore.track().");
  }
  pg::Rows const found = find.rows();
  TierRule rule{.rows = rows,
                .target = target,
                .store = found.text(0, 2),
                .store_column = found.text(0, 3),
                .live_when = found.text(0, 5)};
  rule.rows.size_column = found.text(0, 4);
  rule.live_when = canonical_condition(rows.relation, rule.live_when);
  return rule;
}

std::string find_objects_sql(const TierRule& rule, Oid leaf) {
  return find_rows_sql(rule.rows, leaf,
                       {.columns = ", " + column(rule.target.key_column) + "::text, " + store_sql(rule) + "::text, " +
                                   class_sql(rule.target) + "::text",
                        .where = elsewhere_sql(rule),
                        .locking = {}});
}

std::string count_objects_sql(const TierRule& rule) { return count_rows_sql(rule.rows, elsewhere_sql(rule)); }

std::string due_objects_sql(const TierRule& rule) { return due_rows_sql(rule.rows, elsewhere_sql(rule)); }

std::string group_objects_sql(const TierRule& rule) {
  return "SELECT " + store_sql(rule) + "::text, coalesce(" + class_sql(rule.target) + "::text, ''), count(*) FROM " +
         quoted_relation(rule.rows.relation) + " AS t WHERE " + due_sql(rule.rows) + elsewhere_sql(rule) +
         " GROUP BY 1, 2 ORDER BY 1, 2";
}

std::string measure_objects_sql(const TierRule& rule) {
  std::string const size = rule.rows.size_column.empty() ? "NULL::bigint" : column(rule.rows.size_column) + "::bigint";
  std::string const age =
      rule.rows.age_column.empty() ? "NULL::timestamptz" : column(rule.rows.age_column) + "::timestamptz";
  return "SELECT count(*), (sum(greatest(o.size, $4)) FILTER (WHERE o.size IS NOT NULL))::float8, "
         "(sum(greatest(o.size, $5)) FILTER (WHERE o.size IS NOT NULL))::float8, "
         "count(*) FILTER (WHERE o.size < $5), count(*) FILTER (WHERE o.missing > 0), "
         "(sum(greatest(o.size, $4) * o.missing) FILTER (WHERE o.missing > 0 AND o.size IS NOT NULL))::float8 FROM "
         "(SELECT " +
         size + " AS size, $6 - EXTRACT(epoch FROM pg_catalog.now() - " + age + ") / 86400 AS missing FROM " +
         quoted_relation(rule.rows.relation) + " AS t WHERE " + due_sql(rule.rows) + elsewhere_sql(rule) + " AND " +
         store_sql(rule) + "::text = $2 AND coalesce(" + class_sql(rule.target) + "::text, '') = $3) AS o";
}

std::string find_holders_sql(const TierRule& rule, bool lock) {
  std::string const store = rule.store_column.empty() ? store_sql(rule) : store_sql(rule) + "::text";
  return "SELECT v.n, t.tableoid, t.ctid FROM " + quoted_relation(rule.rows.relation) +
         " AS t, unnest($2, $3) WITH ORDINALITY AS v(key, store, n) WHERE " + column(rule.target.key_column) +
         " = v.key AND " + store + " = v.store AND " + due_sql(rule.rows) + elsewhere_sql(rule) +
         (lock ? " FOR NO KEY UPDATE OF t SKIP LOCKED" : "");
}

std::string lead_over_sql(const TierRule& rule, Oid leaf) {
  std::string set = quoted_name(rule.target.key_column) + " = v.to_key";
  if (!rule.store_column.empty()) set += ", " + quoted_name(rule.store_column) + " = v.to_store";
  std::string const assignments = assignments_sql(rule.rows);
  if (!assignments.empty()) set += ", " + assignments;
  return "UPDATE ONLY " + quoted_relation(leaf) + " AS t SET " + set +
         " FROM unnest($1, $2, $3) AS v(tid, to_key, to_store)"
         " WHERE t.ctid = ANY ($1) AND t.ctid = v.tid";
}

std::string note_class_sql(const TierRule& rule, Oid leaf) { return change_rows_sql(rule.rows, leaf); }

}  // namespace audiostore::lifecycle
