// Growth, from the samples that the accounting keeps: the whole, and the stores that hold most.
#include "html/chart.hpp"
#include "html/quantity.hpp"
#include "html/table.hpp"
#include "report/section.hpp"

namespace audiostore::report {
namespace {

using html::element;
using html::Markup;
using Kind = html::Column::Kind;

constexpr auto kByHourUpTo = std::chrono::hours(72);
constexpr std::size_t kMostStores = 5;

// The last accounting of each day (or hour), by store and in sum; a day without one is a gap.
constexpr const char* kSteps =
    "WITH bounds AS ("
    "    SELECT min(sampled_at) AS first FROM audiostore.storage_samples WHERE sampled_at >= $1), "
    "steps AS ("
    "    SELECT g AT TIME ZONE 'UTC' AS step, (g + ('1 ' || $3)::interval) AT TIME ZONE 'UTC' AS next "
    "    FROM bounds, generate_series(date_trunc($3, first AT TIME ZONE 'UTC'), $2 AT TIME ZONE 'UTC', ('1 ' || "
    "$3)::interval) g "
    "    WHERE first IS NOT NULL), "
    "last AS ("
    "    SELECT s.step, (SELECT max(sampled_at) FROM audiostore.storage_samples a "
    "                    WHERE a.sampled_at >= s.step AND a.sampled_at < s.next AND a.sampled_at >= $1) AS at FROM "
    "steps s), "
    "sums AS ("
    "    SELECT l.step, a.store, sum(a.bytes)::float8 AS bytes, sum(a.objects)::float8 AS objects "
    "    FROM last l LEFT JOIN audiostore.storage_samples a ON a.sampled_at = l.at GROUP BY GROUPING SETS ((1), (1, "
    "2))), "
    "largest AS ("
    "    SELECT store FROM audiostore.storage_samples WHERE sampled_at = (SELECT max(sampled_at) FROM "
    "audiostore.storage_samples) "
    "    GROUP BY 1 ORDER BY sum(bytes) DESC, 1 LIMIT 5) "
    "SELECT w.n, w.store, l.step, s.bytes, s.objects "
    "FROM (SELECT 0 AS n, NULL::text AS store UNION ALL SELECT row_number() OVER ()::int4, store FROM largest) w "
    "CROSS JOIN last l LEFT JOIN sums s ON s.step = l.step AND s.store IS NOT DISTINCT FROM w.store "
    "    AND s.bytes IS NOT NULL "
    "ORDER BY w.n, l.step";

constexpr const char* kTrend =
    "SELECT store, storage_class, samples, bytes, bytes_per_day, "
    "       max(forecast_bytes::float8) FILTER (WHERE horizon_days = 30), "
    "       max(forecast_bytes::float8) FILTER (WHERE horizon_days = 90), "
    "       max(forecast_cost::float8) FILTER (WHERE horizon_days = 90), max(currency), max(note), count(*) OVER () "
    "FROM audiostore.storage_growth_trend($2 - $1, '{30,90}') "
    "GROUP BY 1, 2, 3, 4, 5 ORDER BY bytes_per_day DESC NULLS LAST, 1, 2 LIMIT 12";

std::string signed_bytes(double number) { return (number < 0 ? "\u2212" : "+") + html::bytes(std::abs(number)); }

struct Series {
  std::string store;  // empty: all
  std::vector<html::Point> bytes;
  std::vector<html::Point> objects;
};

std::vector<Series> read(const Period& period, bool by_hour) {
  static pg::Statement statement(kSteps, {TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID});
  Facts const facts(statement,
                    {argument(period.since), argument(period.now), pg::text_argument(by_hour ? "hour" : "day")});
  std::vector<Series> all;
  for (std::size_t i = 0; i < facts.size(); i++) {
    auto const number = static_cast<std::size_t>(facts.integer(i, 1));
    if (number >= all.size()) all.push_back({.store = facts.text(i, 2), .bytes = {}, .objects = {}});
    auto const step = facts.time(i, 3);
    if (!step) continue;
    std::string const when = by_hour ? html::minute(*step).substr(5, 11) : html::day(*step);
    all.back().bytes.push_back({when, facts.null(i, 4) ? std::nullopt : std::optional(facts.number(i, 4))});
    all.back().objects.push_back({when, facts.null(i, 5) ? std::nullopt : std::optional(facts.number(i, 5))});
  }
  return all;
}

struct Ends {
  double first = 0, last = 0;
  std::size_t number = 0;
};

Ends ends_of(const std::vector<html::Point>& points) {
  Ends ends;
  for (const html::Point& point : points) {
    if (!point.value) continue;
    if (ends.number++ == 0) ends.first = *point.value;
    ends.last = *point.value;
  }
  return ends;
}

std::string whole(double number) { return html::count(static_cast<std::int64_t>(number)); }

Markup bytes_chart(const Series& series) {
  Ends const ends = ends_of(series.bytes);
  return html::line_chart(
      {.title = series.store.empty() ? "All stores" : "Store " + series.store,
       .headline = html::bytes(ends.last),
       .note = ends.number < 2 ? "one sample" : signed_bytes(ends.last - ends.first) + " in this time",
       .write = html::bytes},
      series.bytes);
}

Markup objects_chart(const Series& series) {
  Ends const ends = ends_of(series.objects);
  return html::line_chart({.title = "Objects in all stores",
                           .headline = whole(ends.last),
                           .note = ends.number < 2 ? "one sample"
                                                   : (ends.last < ends.first ? "\u2212" : "+") +
                                                         whole(std::abs(ends.last - ends.first)) + " in this time",
                           .write = whole},
                          series.objects);
}

Markup trends(const Period& period) {
  static pg::Statement statement(kTrend, {TIMESTAMPTZOID, TIMESTAMPTZOID});
  Facts const facts(statement, {argument(period.since), argument(period.now)});
  if (facts.size() == 0) return {};
  html::Table table("Trend by store and class", {{"Store"},
                                                 {"Class", Kind::word},
                                                 {"Now", Kind::number},
                                                 {"A day", Kind::number},
                                                 {"In 30 days", Kind::number},
                                                 {"In 90 days", Kind::number},
                                                 {"A month then", Kind::number}});
  for (std::size_t i = 0; i < facts.size(); i++) {
    auto const size = [&](int column) {
      return facts.null(i, column) ? Markup() : Markup(html::bytes(facts.number(i, column)));
    };
    table.add({html::value(facts.text(i, 1)), html::value(facts.text(i, 2)),
               html::bytes(static_cast<double>(facts.bigint(i, 4))),
               facts.null(i, 5) ? Markup() : Markup(signed_bytes(facts.number(i, 5))), size(6), size(7),
               facts.null(i, 8) ? Markup() : Markup(html::money(facts.number(i, 8)) + " " + facts.text(i, 9))});
  }
  return element("h3", {}, "If it went on like that") + table.finish(facts.bigint(0, 11));
}

}  // namespace

Section growth_section(const Period& period) {
  Section section{.id = "growth", .title = "Growth"};
  bool const by_hour = period.now - period.since <= kByHourUpTo;
  std::vector<Series> const all = read(period, by_hour);
  if (all.empty() || ends_of(all[0].bytes).number == 0) {
    section.lead = "There are no samples of this time yet. The worker takes one every " +
                   code("audiostore.accounting_interval") + ", and so does " +
                   code("CALL audiostore.run('accounting')") + ".";
    return section;
  }
  Markup drawn = bytes_chart(all[0]) + objects_chart(all[0]);
  // With one store, its chart would be that of all.
  if (all.size() > 2) {
    for (std::size_t i = 1; i < std::min(all.size(), kMostStores + 1); i++) drawn += bytes_chart(all[i]);
  }
  section.lead = by_hour ? "The last accounting of each hour." : "The last accounting of each day.";
  if (all.size() > 2) section.lead += " Charts begin at 0, and each has a scale of its own.";
  section.body = element("div", {{"class", "figures"}}, drawn) + trends(period);
  return section;
}

}  // namespace audiostore::report
