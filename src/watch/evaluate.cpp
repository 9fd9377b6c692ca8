#include "watch/evaluate.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "monitor/alerts.hpp"
#include "pg/datum.hpp"
#include "pg/identity.hpp"
#include "pg/statement.hpp"
#include "pg/time.hpp"
#include "watch/threshold.hpp"

namespace audiostore::watch {
namespace {

// A rule and a figure that is beyond its threshold, or was at the last look.
struct Case {
  std::string name, subject;
  std::string said;  // the figure and the threshold in words
  Threshold limits;
  double value = 0;
  std::optional<Crossing> before;
};

// Those that are beyond nothing and were not are left out; a figure without a value leaves everything as it is.
constexpr const char* kCases =
    "SELECT r.name, coalesce(v.subject, ''), r.above, r.below, r.hysteresis,"
    " (extract(epoch FROM r.lasting) * 1000000)::bigint, v.value, s.crossed_at, s.raised,"
    " format('%s%s is %s, %s', r.metric, ' of ' || v.subject, v.value::numeric, concat_ws(', ',"
    "  CASE WHEN v.value > r.above THEN format('above %s', r.above) END,"
    "  CASE WHEN v.value < r.below THEN format('below %s', r.below) END))"
    " FROM audiostore.alert_rules r"
    " JOIN audiostore.alert_values(ARRAY(SELECT DISTINCT metric FROM audiostore.alert_rules WHERE enabled)) v"
    "  ON v.metric = r.metric AND (r.subject IS NULL OR r.subject = v.subject)"
    " LEFT JOIN audiostore.alert_states s ON s.name = r.name AND s.subject = coalesce(v.subject, '')"
    " WHERE r.enabled AND v.value <> 'NaN'"
    "  AND (s.name IS NOT NULL OR v.value > r.above OR v.value < r.below)"
    " ORDER BY 1, 2";

std::optional<double> number(const pg::Rows& rows, std::size_t row, int column) {
  NullableDatum const found = rows.datum(row, column);
  return found.isnull ? std::nullopt : std::optional(DatumGetFloat8(found.value));
}

std::vector<Case> find_cases() {
  static pg::Statement statement(kCases, {});
  statement.execute({});
  pg::Rows const rows = statement.rows();
  std::vector<Case> cases(rows.size());
  for (std::size_t i = 0; i < cases.size(); i++) {
    Case& one = cases[i];
    one.name = rows.text(i, 1);
    one.subject = rows.text(i, 2);
    one.limits = {.above = number(rows, i, 3),
                  .below = number(rows, i, 4),
                  .hysteresis = number(rows, i, 5),
                  .lasting = std::chrono::microseconds(rows.bigint(i, 6))};
    one.value = number(rows, i, 7).value_or(0);
    if (!rows.null(i, 8)) {
      one.before = Crossing{.since = pg::to_time_point(rows.timestamp(i, 8)), .raised = rows.boolean(i, 9)};
    }
    one.said = rows.text(i, 10);
  }
  return cases;
}

void note(const Case& one, const Crossing& crossing) {
  static pg::Statement statement(
      "INSERT INTO audiostore.alert_states AS s (name, subject, value, crossed_at, evaluated_at, raised)"
      " VALUES ($1, $2, $3, $4, clock_timestamp(), $5)"
      " ON CONFLICT (name, subject) DO UPDATE SET value = EXCLUDED.value, crossed_at = EXCLUDED.crossed_at,"
      "  evaluated_at = EXCLUDED.evaluated_at, raised = EXCLUDED.raised",
      {TEXTOID, TEXTOID, FLOAT8OID, TIMESTAMPTZOID, BOOLOID});
  statement.execute({pg::text_argument(one.name), pg::text_argument(one.subject), Float8GetDatum(one.value),
                     TimestampTzGetDatum(pg::to_timestamptz(crossing.since)), BoolGetDatum(crossing.raised)});
}

void forget(const Case& one) {
  static pg::Statement statement("DELETE FROM audiostore.alert_states WHERE name = $1 AND subject = $2",
                                 {TEXTOID, TEXTOID});
  statement.execute({pg::text_argument(one.name), pg::text_argument(one.subject)});
}

bool settle(const Case& one, TimePoint now) {
  Verdict const verdict = judge(one.limits, one.before, one.value, now);
  if (verdict.crossing) {
    note(one, *verdict.crossing);
  } else {
    forget(one);
  }
  if (verdict.raise) monitor::raise_alert({.name = one.name, .subject = one.subject, .message = one.said});
  if (verdict.clear) monitor::clear_alert(one.name, one.subject);
  return verdict.raise || verdict.clear;
}

// The rule was removed or paused or looks at something else now, or the subject is gone.
constexpr const char* kGone =
    "DELETE FROM audiostore.alert_states s WHERE NOT EXISTS ("
    " SELECT FROM audiostore.alert_rules r"
    " JOIN audiostore.alert_values(ARRAY(SELECT DISTINCT a.metric FROM audiostore.alert_rules a"
    "  JOIN audiostore.alert_states o ON o.name = a.name WHERE a.enabled)) v"
    "  ON v.metric = r.metric AND (r.subject IS NULL OR r.subject = v.subject)"
    " WHERE r.enabled AND r.name = s.name AND coalesce(v.subject, '') = s.subject)"
    " RETURNING s.name, s.subject, s.raised";

std::int64_t clear_gone() {
  static pg::Statement any("SELECT FROM audiostore.alert_states LIMIT 1", {});
  if (any.execute({}) == 0) return 0;
  static pg::Statement statement(kGone, {});
  statement.execute({});
  std::vector<std::pair<std::string, std::string>> raised;
  for (std::size_t i = 0; i < statement.rows().size(); i++) {
    if (statement.rows().boolean(i, 3)) raised.emplace_back(statement.rows().text(i, 1), statement.rows().text(i, 2));
  }
  std::sort(raised.begin(), raised.end());
  for (auto const& [name, subject] : raised) monitor::clear_alert(name, subject);
  return static_cast<std::int64_t>(raised.size());
}

bool nothing_to_do() {
  static pg::Statement statement(
      "SELECT EXISTS (SELECT FROM audiostore.alert_rules) OR EXISTS (SELECT FROM audiostore.alert_states)", {});
  statement.execute({});
  return !statement.rows().boolean(0, 1);
}

// Two processes that look at once would both raise.
void one_at_a_time() {
  static pg::Statement statement("LOCK TABLE audiostore.alert_states IN SHARE ROW EXCLUSIVE MODE", {});
  statement.execute({});
}

// Operations that were given up elsewhere, before this database was restored from a dump: alerts do not come along.
constexpr const char* kGivenUpElsewhere =
    "SELECT s.store, (SELECT coalesce(min(d.last_error), '') FROM audiostore.dead_operations d WHERE d.store = s.store)"
    " FROM (SELECT DISTINCT store FROM audiostore.store_classes) s"
    " WHERE (EXISTS (SELECT FROM audiostore.operation_rows o"
    "                WHERE o.store = s.store AND o.state = 'dead' AND o.not_before = 'infinity')"
    "  OR EXISTS (SELECT FROM audiostore.operation_packs p"
    "             WHERE p.store = s.store AND p.state = 'dead' AND p.not_before = 'infinity'))"
    " AND NOT EXISTS (SELECT FROM audiostore.alerts a WHERE a.name = 'dead_operation' AND a.subject = s.store)";

std::int64_t raise_for_dead() {
  static pg::Statement statement(kGivenUpElsewhere, {});
  statement.execute({});
  std::vector<std::pair<std::string, std::string>> stores;
  for (std::size_t i = 0; i < statement.rows().size(); i++) {
    stores.emplace_back(statement.rows().text(i, 1), statement.rows().text(i, 2));
  }
  for (auto const& [store, error] : stores) {
    std::string message = "operations of store \"";
    message.append(store).append("\" were given up: ").append(error);
    monitor::raise_alert({.name = "dead_operation", .subject = store, .message = message});
  }
  return static_cast<std::int64_t>(stores.size());
}

}  // namespace

std::int64_t evaluate_alerts() {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  std::int64_t changes = raise_for_dead();
  if (nothing_to_do()) return changes;
  one_at_a_time();
  TimePoint const now = pg::to_time_point(GetCurrentTimestamp());
  for (const Case& one : find_cases()) changes += settle(one, now) ? 1 : 0;
  return changes + clear_gone();
}

namespace {

Datum evaluate(FunctionCallInfo /*info*/) { return Int64GetDatum(evaluate_alerts()); }

}  // namespace

AUDIOSTORE_FUNCTION(evaluate_alerts, evaluate)

}  // namespace audiostore::watch
