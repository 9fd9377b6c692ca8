// The outbox: what is queued for each store, and what was given up. A queue of millions is judged by a sample of its
// blocks, so that a report stays quick when it is needed most.
#include "html/quantity.hpp"
#include "html/sql.hpp"
#include "html/table.hpp"
#include "report/sample.hpp"
#include "report/section.hpp"

namespace audiostore::report {
namespace {

using html::element;
using html::Markup;
using Kind = html::Column::Kind;

constexpr std::size_t kMostRows = 20;
constexpr std::size_t kMostGroups = 10;

struct Backlog {
  std::int64_t due = 0, waiting = 0, running = 0;
  std::optional<TimePoint> oldest_due;
};

std::string plural(std::int64_t number, const std::string& noun) {
  return html::count(number) + " " + noun + (number == 1 ? "" : "s");
}

std::string counts(const char* number, const char* table) {
  std::string const n = number;
  return "(sum(" + n + ") FILTER (WHERE state = 'pending' AND not_before <= $2))::float8 AS due, (sum(" + n +
         ") FILTER (WHERE state = 'pending' AND not_before > $2))::float8 AS waiting, (sum(" + n +
         ") FILTER (WHERE state = 'running'))::float8 AS running, min(enqueued_at) AS oldest, "
         "min(not_before) FILTER (WHERE state = 'pending' AND not_before <= $2) AS due_since, max(attempts) AS "
         "attempts FROM " +
         table;
}

std::string backlog_query() {
  std::string const parts = "SELECT store, kind, $3 AS factor, " + counts("1", "audiostore.operation_rows") +
                            " TABLESAMPLE SYSTEM ($1) REPEATABLE (1) WHERE state <> 'dead' GROUP BY 1, 2"
                            " UNION ALL SELECT store, 'delete', 1, " +
                            counts("key_count", "audiostore.operation_packs") + " WHERE state <> 'dead' GROUP BY 1";
  return "SELECT store, kind, coalesce(sum(due * factor), 0)::int8, coalesce(sum(waiting * factor), 0)::int8, "
         "coalesce(sum(running * factor), 0)::int8, min(oldest), min(due_since), max(attempts) FROM (" +
         parts + ") p GROUP BY 1, 2 ORDER BY sum(coalesce(due, 0) + coalesce(waiting, 0)) DESC, 1, 2";
}

Markup backlog_table(const Period& period, const Sample& sample, Backlog& sum) {
  static std::string const query = backlog_query();
  static pg::Statement statement(query.c_str(), {FLOAT4OID, TIMESTAMPTZOID, FLOAT8OID});
  Facts const facts(statement, {Float4GetDatum(static_cast<float>(sample.percent)), argument(period.now),
                                Float8GetDatum(100 / sample.percent)});
  html::Table table("Operations by store and kind", {{"Store"},
                                                     {"Operation", Kind::word},
                                                     {"Due", Kind::number},
                                                     {"Waiting", Kind::number},
                                                     {"Running", Kind::number},
                                                     {"Most attempts", Kind::number},
                                                     {"Oldest", Kind::word}});
  for (std::size_t i = 0; i < facts.size(); i++) {
    sum.due += facts.bigint(i, 3);
    sum.waiting += facts.bigint(i, 4);
    sum.running += facts.bigint(i, 5);
    auto const due_since = facts.time(i, 7);
    if (due_since && (!sum.oldest_due || *due_since < *sum.oldest_due)) sum.oldest_due = due_since;
    if (i >= kMostRows) continue;
    table.add({html::value(facts.text(i, 1)), facts.text(i, 2), html::count(facts.bigint(i, 3)),
               html::count(facts.bigint(i, 4)), html::count(facts.bigint(i, 5)), html::count(facts.integer(i, 8)),
               when(facts.time(i, 6), period)});
  }
  return table.empty() ? Markup() : table.finish(static_cast<std::int64_t>(facts.size()));
}

// The dead are found by the index of what is due: they wait until infinity. Packs are few enough to be looked through.
constexpr const char* kDead =
    "WITH RECURSIVE stores AS ("
    "  (SELECT store FROM audiostore.operation_rows ORDER BY store LIMIT 1) "
    "  UNION ALL "
    "  SELECT (SELECT o.store FROM audiostore.operation_rows o WHERE o.store > s.store ORDER BY o.store LIMIT 1) "
    "  FROM stores s WHERE s.store IS NOT NULL), "
    "dead AS (SELECT o.store, o.kind, o.last_error, 1 AS number, o.enqueued_at, o.id, o.key "
    "  FROM stores s, audiostore.operation_rows o "
    "  WHERE o.store = s.store AND o.not_before = 'infinity' AND o.state = 'dead' "
    "  UNION ALL SELECT store, 'delete', last_error, key_count, enqueued_at, id, NULL "
    "  FROM audiostore.operation_packs WHERE state = 'dead') "
    "SELECT store, kind, left(coalesce(last_error, ''), 1000), sum(number)::int8, min(enqueued_at), min(id), min(key), "
    "       count(*) OVER (), sum(sum(number)) OVER ()::int8 "
    "FROM dead GROUP BY 1, 2, 3 ORDER BY 4 DESC, 5 LIMIT 10";

std::string condition(const std::string& store, const std::string& kind) {
  return " FROM audiostore.dead_operations WHERE store = " + html::sql_literal(store) +
         " AND kind = " + html::sql_literal(kind);
}

Markup dead_table(const Period& period, Section& section, std::int64_t& dead) {
  static pg::Statement statement(kDead, {});
  Facts const facts(statement);
  html::Table table("Dead operations by store, kind and error", {{"Store"},
                                                                 {"Operation", Kind::word},
                                                                 {"Number", Kind::number},
                                                                 {"Queued", Kind::word},
                                                                 {"First key"},
                                                                 {"Last error"}});
  for (std::size_t i = 0; i < facts.size(); i++) {
    std::string const store = facts.text(i, 1);
    std::string const kind = facts.text(i, 2);
    std::string const error = facts.text(i, 3);
    table.add({html::value(store), kind, html::count(facts.bigint(i, 4)), when(facts.time(i, 5), period),
               key(facts.text(i, 7)), words(error)});
    Concern concern;
    concern.urgent = true;
    concern.what = plural(facts.bigint(i, 4), "dead " + kind + " operation");
    concern.what += " in store " + store;
    concern.detail = Markup("Given up, and not tried again by itself: ") + words(error.empty() ? "no error" : error);
    concern.since = facts.time(i, 5);
    concern.alert = {"dead_operation", store};
    concern.sql = {
        "SELECT id, key, attempts, last_error" + condition(store, kind) + " ORDER BY id;",
        "-- when the cause is gone:", "SELECT audiostore.retry_operation(id)" + condition(store, kind) + ";"};
    section.concerns.push_back(std::move(concern));
  }
  dead = facts.size() > 0 ? facts.bigint(0, 9) : 0;
  if (facts.size() == 0) return {};
  return element("h3", {}, "Dead operations") + table.finish(facts.bigint(0, 8));
}

std::string worker_state() {
  static pg::Statement statement("SELECT audiostore.worker_state()", {});
  return Facts(statement).text(0, 1);
}

// What is due, and nobody does it.
void judge(const Period& period, const Backlog& sum, Section& section) {
  constexpr auto kPatience = std::chrono::minutes(15);
  if (!sum.oldest_due || period.now - *sum.oldest_due < kPatience) return;
  std::string const worker = worker_state();
  bool const running = worker == "running";
  Concern concern;
  concern.urgent = !running;
  concern.what =
      plural(sum.due, "operation") + " due, the first one for " + html::duration(period.now - *sum.oldest_due);
  concern.since = sum.oldest_due;
  if (running) {
    concern.detail = Markup("The worker is running, but does not keep up, or its store does not answer.");
    concern.sql = {"SELECT * FROM audiostore.worker_status;",
                   "SELECT store, kind, count(*), max(attempts), max(last_error) FROM audiostore.pending_operations "
                   "GROUP BY 1, 2;"};
  } else {
    concern.detail = "This database's worker is not running (" + worker + "): nothing is done until somebody does it.";
    concern.sql = {"CALL audiostore.run('outbox');"};
  }
  section.concerns.push_back(std::move(concern));
}

}  // namespace

Section queue_section(const Period& period) {
  Section section{.id = "queue", .title = "The queue"};
  Sample const sample = sample_of("audiostore.operation_rows");
  Backlog sum;
  std::int64_t dead = 0;
  Markup const backlog = backlog_table(period, sample, sum);
  Markup const given_up = dead_table(period, section, dead);
  judge(period, sum, section);
  std::int64_t const pending = sum.due + sum.waiting + sum.running;
  if (pending == 0 && dead == 0) {
    section.lead = "Nothing is queued and nothing was given up: the stores are as the rows say.";
  } else {
    section.lead =
        "What committed transactions asked of the stores and is not done yet. Waiting means a grace period, or a pause "
        "after a failure.";
    if (sample.percent < 100) section.lead += " " + sample.says();
  }
  section.body = backlog + given_up;
  std::string const about = sample.percent < 100 ? "about " : "";
  section.tiles.push_back({"Operations pending", about + html::count(pending),
                           pending == 0
                               ? Markup("nothing to do")
                               : Markup(html::count(sum.due) + " due, " + html::count(sum.waiting) + " waiting")});
  section.tiles.push_back(
      {"Dead operations", html::count(dead), dead == 0 ? "none was given up" : "given up, see below", dead > 0});
  return section;
}

}  // namespace audiostore::report
