// Alerts: each open one needs attention, unless another section says the same in more detail.
#include "html/quantity.hpp"
#include "html/sql.hpp"
#include "html/table.hpp"
#include "report/section.hpp"

namespace audiostore::report {
namespace {

using html::Markup;
using Kind = html::Column::Kind;

struct Advice {
  std::string_view alert;
  bool urgent;
  const char* sql;  // {} is the subject, as a literal
};

// What to do first about the alerts of this extension; others are asked for as they are.
constexpr Advice kAdvice[] = {
    {"store_paused", true, "SELECT * FROM audiostore.verify_store({});"},
    {"rows_unreadable", true, "SELECT relation, key_column, live_when FROM audiostore.tracked_columns;"},
    {"dead_operation", true, "SELECT id, kind, key, last_error FROM audiostore.dead_operations WHERE store = {};"},
    {"policy_failed", true, "SELECT * FROM audiostore.policy_status WHERE id::text = {};"},
    {"audit_failed", true, "SELECT id, state, error FROM audiostore.audits WHERE store = {} ORDER BY id DESC LIMIT 5;"},
};

Advice advice_for(const std::string& alert) {
  for (const Advice& advice : kAdvice) {
    if (advice.alert == alert) return advice;
  }
  return {alert, false, nullptr};
}

std::vector<std::string> sql_for(const Advice& advice, const std::string& alert, const std::string& subject) {
  if (advice.sql == nullptr) {
    return {"SELECT * FROM audiostore.alerts WHERE name = " + html::sql_literal(alert) +
            " AND subject = " + html::sql_literal(subject) + " ORDER BY raised_at DESC LIMIT 10;"};
  }
  std::string sql = advice.sql;
  if (auto const place = sql.find("{}"); place != std::string::npos) sql.replace(place, 2, html::sql_literal(subject));
  return {sql};
}

std::int64_t open_alerts(const Period& period, Section& section) {
  static pg::Statement statement(
      "SELECT name, subject, left(message, 2000), times, raised_at, last_raised_at, count(*) OVER () "
      "FROM audiostore.alerts WHERE cleared_at IS NULL ORDER BY last_raised_at DESC, id LIMIT 50",
      {});
  Facts const facts(statement);
  for (std::size_t i = 0; i < facts.size(); i++) {
    std::string const alert = facts.text(i, 1);
    std::string const subject = facts.text(i, 2);
    Advice const advice = advice_for(alert);
    Concern concern;
    concern.urgent = advice.urgent;
    concern.what = alert;
    if (!subject.empty()) concern.what.append(": ").append(subject);
    concern.detail = words(facts.text(i, 3), 1000);
    if (facts.bigint(i, 4) > 1) {
      concern.detail += Markup("\nRaised " + html::count(facts.bigint(i, 4)) + " times, last ");
      concern.detail += when(facts.time(i, 6), period) + ".";
    }
    concern.since = facts.time(i, 5);
    concern.sql = sql_for(advice, alert, subject);
    concern.alert = {alert, subject};
    section.concerns.push_back(std::move(concern));
  }
  return facts.size() == 0 ? 0 : facts.bigint(0, 7);
}

}  // namespace

Section alerts_section(const Period& period) {
  Section section{.id = "alerts", .title = "Alerts"};
  std::int64_t const open = open_alerts(period, section);
  section.tiles.push_back({"Open alerts", html::count(open), open == 0 ? "none" : "see below", open > 0});
  static pg::Statement statement(
      "SELECT name, subject, left(message, 1000), times, raised_at, cleared_at, count(*) OVER () "
      "FROM audiostore.alerts WHERE cleared_at >= $1 ORDER BY cleared_at DESC, id DESC LIMIT 10",
      {TIMESTAMPTZOID});
  Facts const facts(statement, {argument(period.since)});
  if (facts.size() == 0) return section;
  html::Table table(
      "Alerts that are over",
      {{"Alert"}, {"About"}, {"Raised", Kind::word}, {"Over", Kind::word}, {"Times", Kind::number}, {"Message"}});
  for (std::size_t i = 0; i < facts.size(); i++) {
    table.add({html::value(facts.text(i, 1)), html::value(facts.text(i, 2)), when(facts.time(i, 5), period),
               when(facts.time(i, 6), period), html::count(facts.bigint(i, 4)), words(facts.text(i, 3))});
  }
  section.lead = "Alerts that are over; open ones are at the top of the page.";
  section.body = table.finish(facts.bigint(0, 7));
  return section;
}

}  // namespace audiostore::report
