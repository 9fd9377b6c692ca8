// Runs of recurring tasks: how often, how long, and what went wrong.
#include "html/quantity.hpp"
#include "html/table.hpp"
#include "report/section.hpp"

namespace audiostore::report {
namespace {

using html::element;
using html::Markup;
using Kind = html::Column::Kind;

std::string lasted(const Facts& facts, std::size_t row, int column) {
  if (facts.null(row, column)) return {};
  return html::duration(std::chrono::microseconds(facts.bigint(row, column)));
}

constexpr const char* kByTask =
    "SELECT task, count(*), count(*) FILTER (WHERE error IS NOT NULL), "
    "sum(rows)::int8, sum(bytes)::float8, (extract(epoch FROM avg(duration)) * 1e6)::int8, "
    "(extract(epoch FROM max(duration)) * 1e6)::int8, max(started_at), count(*) OVER () "
    "FROM audiostore.runs WHERE started_at >= $1 GROUP BY task ORDER BY max(started_at) DESC LIMIT 20";

Markup by_task(const Period& period) {
  static pg::Statement statement(kByTask, {TIMESTAMPTZOID});
  Facts const facts(statement, {argument(period.since)});
  if (facts.size() == 0) return {};
  html::Table table("Runs by task", {{"Task"},
                                     {"Runs", Kind::number},
                                     {"Failed", Kind::number},
                                     {"Rows", Kind::number},
                                     {"Bytes", Kind::number},
                                     {"Usual duration", Kind::number},
                                     {"Longest", Kind::number},
                                     {"Last started", Kind::word}});
  for (std::size_t i = 0; i < facts.size(); i++) {
    std::int64_t const failed = facts.bigint(i, 3);
    table.add({html::value(facts.text(i, 1)), html::count(facts.bigint(i, 2)),
               failed == 0 ? Markup("0") : element("span", {{"class", "bad"}}, html::count(failed)),
               facts.null(i, 4) ? Markup() : Markup(html::count(facts.bigint(i, 4))),
               facts.null(i, 5) ? Markup() : Markup(html::bytes(facts.number(i, 5))), lasted(facts, i, 6),
               lasted(facts, i, 7), when(facts.time(i, 8), period)});
  }
  return table.finish(facts.bigint(0, 9));
}

Markup outcome(const Facts& facts, std::size_t row) {
  if (!facts.null(row, 6)) {
    return element("span", {{"class", "bad"}}, "failed") + ": " + words(facts.text(row, 6));
  }
  return facts.null(row, 3) ? "under way, or its process died" : "done";
}

// `facts`: task, started_at, duration, rows, bytes, error.
Markup list(const char* caption, const Facts& facts, const Period& period, std::int64_t total) {
  html::Table table(caption, {{"Task"},
                              {"Started", Kind::word},
                              {"Duration", Kind::number},
                              {"Rows", Kind::number},
                              {"Bytes", Kind::number},
                              {"Outcome"}});
  for (std::size_t i = 0; i < facts.size(); i++) {
    table.add({html::value(facts.text(i, 1)), when(facts.time(i, 2), period), lasted(facts, i, 3),
               facts.null(i, 4) ? Markup() : Markup(html::count(facts.bigint(i, 4))),
               facts.null(i, 5) ? Markup() : Markup(html::bytes(static_cast<double>(facts.bigint(i, 5)))),
               outcome(facts, i)});
  }
  return element("h3", {}, caption) + table.finish(total);
}

Markup failures(const Period& period) {
  static pg::Statement statement(
      "SELECT task, started_at, (extract(epoch FROM duration) * 1e6)::int8, rows, bytes, left(error, 1000), "
      "count(*) OVER () FROM audiostore.runs WHERE started_at >= $1 AND error IS NOT NULL "
      "ORDER BY started_at DESC, id DESC LIMIT 10",
      {TIMESTAMPTZOID});
  Facts const facts(statement, {argument(period.since)});
  return facts.size() == 0 ? Markup() : list("Failed runs", facts, period, facts.bigint(0, 7));
}

Markup latest(const Period& period) {
  static pg::Statement statement(
      "SELECT task, started_at, (extract(epoch FROM duration) * 1e6)::int8, rows, bytes, left(error, 1000) "
      "FROM audiostore.runs WHERE started_at >= $1 ORDER BY started_at DESC, id DESC LIMIT 12",
      {TIMESTAMPTZOID});
  Facts const facts(statement, {argument(period.since)});
  return list("Latest runs", facts, period, static_cast<std::int64_t>(facts.size()));
}

std::string amount(const Facts& facts, std::size_t row, int column, const std::string& unit) {
  if (facts.null(row, column)) return {};
  return html::count(facts.bigint(row, column)) + (unit.empty() ? "" : " " + unit);
}

Markup under_way(const Period& period) {
  static pg::Statement statement(
      "SELECT task, subject, pid::int8, started_at, done, total, unit, rate, (extract(epoch FROM time_left) * "
      "1e6)::int8, "
      "count(*) OVER () FROM audiostore.progress ORDER BY started_at, task LIMIT 20",
      {});
  Facts const facts(statement);
  if (facts.size() == 0) return {};
  html::Table table("What runs now", {{"Task"},
                                      {"About"},
                                      {"Started", Kind::word},
                                      {"Done", Kind::number},
                                      {"Of", Kind::number},
                                      {"A second", Kind::number},
                                      {"Time left", Kind::number}});
  for (std::size_t i = 0; i < facts.size(); i++) {
    std::string const unit = facts.text(i, 7);
    table.add({html::value(facts.text(i, 1)), words(facts.text(i, 2)), when(facts.time(i, 4), period),
               amount(facts, i, 5, unit), amount(facts, i, 6, ""),
               facts.null(i, 8) ? Markup() : Markup(html::decimal(facts.number(i, 8), 1)), lasted(facts, i, 9)});
  }
  return element("h3", {}, "What runs now") + table.finish(facts.bigint(0, 10));
}

}  // namespace

Section runs_section(const Period& period) {
  Section section{.id = "runs", .title = "Runs"};
  Markup const running = under_way(period);
  Markup const done = by_task(period);
  section.body = done + running;
  if (section.body.empty()) {
    section.lead = "No recurring task ran in this time. The worker records here what it does, and so does " +
                   code("CALL audiostore.run()") + ", for servers without one.";
    return section;
  }
  section.lead = "What the worker, or CALL audiostore.run(), did in this time.";
  if (done.empty()) return section;
  section.body += failures(period);
  section.body += latest(period);
  return section;
}

}  // namespace audiostore::report
