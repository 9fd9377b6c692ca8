// Jobs, mastering among them, and where the segments of a station are.
#include "html/quantity.hpp"
#include "html/sql.hpp"
#include "html/table.hpp"
#include "report/section.hpp"

namespace audiostore::report {
namespace {

using html::element;
using html::Markup;
using Kind = html::Column::Kind;

// Done jobs are those of the period; each part has an index of its own.
constexpr const char* kJobs =
    "WITH parts AS ("
    "    SELECT job_type, count(*) AS pending, 0::int8 AS running, 0::int8 AS done, 0::int8 AS dead, min(enqueued_at) "
    "AS oldest, "
    "           NULL::interval AS usual FROM audiostore.jobs WHERE state = 'pending' GROUP BY 1 "
    "    UNION ALL SELECT job_type, 0, count(*), 0, 0, min(enqueued_at), NULL FROM audiostore.jobs WHERE state = "
    "'running' GROUP BY 1 "
    "    UNION ALL SELECT job_type, 0, 0, 0, count(*), NULL, NULL FROM audiostore.jobs WHERE state = 'dead' GROUP BY 1 "
    "    UNION ALL SELECT job_type, 0, 0, count(*), 0, NULL, avg(finished_at - started_at) FROM audiostore.jobs "
    "              WHERE state = 'done' AND finished_at >= $1 GROUP BY 1) "
    "SELECT job_type, sum(pending)::int8, sum(running)::int8, sum(done)::int8, sum(dead)::int8, min(oldest), "
    "       (extract(epoch FROM max(usual)) * 1e6)::int8, count(*) OVER () "
    "FROM parts GROUP BY 1 ORDER BY sum(dead) DESC, sum(pending + running) DESC, 1 LIMIT 15";

constexpr const char* kDead =
    "SELECT job_type, left(coalesce(last_error, ''), 1000), count(*), max(finished_at), count(*) OVER () "
    "FROM audiostore.jobs WHERE state = 'dead' GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 10";

Markup by_type(const Period& period) {
  static pg::Statement statement(kJobs, {TIMESTAMPTZOID});
  Facts const facts(statement, {argument(period.since)});
  if (facts.size() == 0) return {};
  html::Table table("Jobs by type", {{"Job"},
                                     {"Pending", Kind::number},
                                     {"Running", Kind::number},
                                     {"Done", Kind::number},
                                     {"Dead", Kind::number},
                                     {"Usual duration", Kind::number},
                                     {"Oldest open", Kind::word}});
  for (std::size_t i = 0; i < facts.size(); i++) {
    std::int64_t const dead = facts.bigint(i, 5);
    table.add({html::value(facts.text(i, 1)), html::count(facts.bigint(i, 2)), html::count(facts.bigint(i, 3)),
               html::count(facts.bigint(i, 4)),
               dead == 0 ? Markup("0") : element("span", {{"class", "bad"}}, html::count(dead)),
               facts.null(i, 7) ? Markup() : Markup(html::duration(std::chrono::microseconds(facts.bigint(i, 7)))),
               when(facts.time(i, 6), period)});
  }
  return table.finish(facts.bigint(0, 8));
}

Markup dead_jobs(const Period& period, Section& section) {
  static pg::Statement statement(kDead, {});
  Facts const facts(statement);
  if (facts.size() == 0) return {};
  html::Table table("Dead jobs by type and error",
                    {{"Job"}, {"Number", Kind::number}, {"Last given up", Kind::word}, {"Error"}});
  for (std::size_t i = 0; i < facts.size(); i++) {
    std::string const type = facts.text(i, 1);
    std::string const number = html::count(facts.bigint(i, 3));
    table.add({html::value(type), number, when(facts.time(i, 4), period), words(facts.text(i, 2))});
    Concern concern;
    concern.what = number;
    concern.what += facts.bigint(i, 3) == 1 ? " dead job of type " : " dead jobs of type ";
    concern.what += type;
    concern.detail = words(facts.text(i, 2));
    concern.since = facts.time(i, 4);
    std::string const these = " FROM audiostore.jobs WHERE state = 'dead' AND job_type = " + html::sql_literal(type);
    concern.sql = {"SELECT id, payload, attempts, last_error" + these + " ORDER BY finished_at DESC LIMIT 20;",
                   "-- when the cause is gone:", "SELECT audiostore.retry_job(id)" + these + ";"};
    section.concerns.push_back(std::move(concern));
  }
  return element("h3", {}, "Dead jobs") + table.finish(facts.bigint(0, 5));
}

Markup segments() {
  static pg::Statement statement(
      "SELECT state, count(*), coalesce(sum(duration_seconds), 0)::float8 FROM audiostore.segments GROUP BY 1 "
      "ORDER BY array_position(ARRAY['queued', 'retrieving', 'generating', 'rendering', 'normalizing', 'ready', "
      "'airing', "
      "    'aired', 'archived', 'failed'], state)",
      {});
  Facts const facts(statement);
  if (facts.size() == 0) return {};
  html::Table table("Segments by state", {{"Segments"}, {"Number", Kind::number}, {"Audio", Kind::number}});
  for (std::size_t i = 0; i < facts.size(); i++) {
    std::chrono::microseconds const length(static_cast<std::int64_t>(facts.number(i, 3) * 1e6));
    table.add({facts.text(i, 1), html::count(facts.bigint(i, 2)),
               length.count() == 0 ? Markup() : Markup(html::duration(length))});
  }
  return element("h3", {}, "Segments") + table.finish();
}

}  // namespace

Section jobs_section(const Period& period) {
  Section section{.id = "jobs", .title = "Jobs and segments"};
  section.body = by_type(period);
  section.body += dead_jobs(period, section);
  section.body += segments();
  if (section.body.empty()) return {};
  section.lead = "Work for workers in and out of the database; audio_finalize is mastering. Done counts this time.";
  return section;
}

}  // namespace audiostore::report
