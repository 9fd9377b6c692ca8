// The audio cache: how often it helps. Its counters are kept by the hour; a long time is shown by the day.
#include "html/chart.hpp"
#include "html/quantity.hpp"
#include "report/section.hpp"

namespace audiostore::report {
namespace {

using html::element;
using html::Markup;

constexpr auto kByHourUpTo = std::chrono::hours(72);

// Every hour or day of the period, those without lookups included; what is not folded into the table yet is this
// hour's.
constexpr const char* kSteps =
    "WITH counted AS ("
    "    SELECT hour, hits, misses, puts, expired, evicted FROM audiostore.cache_counters WHERE hour >= $1 "
    "    UNION ALL SELECT $2, u.hits, u.misses, u.puts, u.expired, u.evicted FROM audiostore.cache_unsaved_counters() "
    "u), "
    "steps AS ("
    "    SELECT g AS step FROM generate_series(date_trunc($3, greatest($1, (SELECT min(hour) FROM counted)) AT TIME "
    "ZONE 'UTC') "
    "        AT TIME ZONE 'UTC', $2, CASE $3 WHEN 'hour' THEN interval '1 hour' ELSE interval '24 hours' END) g) "
    "SELECT s.step, coalesce(sum(c.hits), 0)::int8, coalesce(sum(c.misses), 0)::int8, coalesce(sum(c.puts), 0)::int8, "
    "       coalesce(sum(c.expired), 0)::int8, coalesce(sum(c.evicted), 0)::int8 "
    "FROM steps s LEFT JOIN counted c ON c.hour >= s.step AND c.hour < s.step + "
    "    CASE $3 WHEN 'hour' THEN interval '1 hour' ELSE interval '24 hours' END "
    "GROUP BY 1 ORDER BY 1";

// Sizes of files, and the planner's idea of the entries: counting them would read them.
constexpr const char* kContents =
    "SELECT sum(greatest(c.reltuples, 0))::int8, sum(pg_total_relation_size(c.oid))::int8, "
    "       bool_and(c.reltuples >= 0 OR pg_relation_size(c.oid) = 0) "
    "FROM pg_partition_tree('audiostore.audio_chunk_cache') t JOIN pg_class c ON c.oid = t.relid WHERE t.isleaf";

struct Counted {
  std::int64_t hits = 0, misses = 0, puts = 0, expired = 0, evicted = 0;
  std::int64_t lookups() const { return hits + misses; }
  double rate() const { return static_cast<double>(hits) / static_cast<double>(lookups()); }
};

Counted counted(const Facts& facts, std::size_t row) {
  return {facts.bigint(row, 2), facts.bigint(row, 3), facts.bigint(row, 4), facts.bigint(row, 5), facts.bigint(row, 6)};
}

std::string label(TimePoint step, bool by_hour) {
  return by_hour ? html::day(step) + " " + html::minute(step).substr(11, 5) : html::day(step);
}

Markup charts(const Facts& facts, bool by_hour, const Counted& sum) {
  std::vector<html::Point> rates;
  std::vector<html::Pair> lookups;
  for (std::size_t i = 0; i < facts.size(); i++) {
    Counted const step = counted(facts, i);
    std::string const when = label(*facts.time(i, 1), by_hour);
    rates.push_back({when, step.lookups() > 0 ? std::optional(step.rate()) : std::nullopt});
    std::string says = when + ": " + html::count(step.hits) + " hits, " + html::count(step.misses) + " misses";
    if (step.lookups() > 0) says += ", " + html::percent(step.rate());
    lookups.push_back({when, static_cast<double>(step.hits), static_cast<double>(step.misses), says});
  }
  std::string const each = by_hour ? "by hour" : "by day";
  Markup drawn = html::line_chart({.title = "Hit rate " + each,
                                   .headline = html::percent(sum.rate()),
                                   .note = "of all lookups in this time",
                                   .write = html::percent,
                                   .top = 1},
                                  rates);
  drawn += html::column_chart({.title = "Lookups " + each,
                               .headline = html::count(sum.lookups()),
                               .note = "filled: hits, outlined: misses",
                               .write = [](double number) { return html::count(static_cast<std::int64_t>(number)); }},
                              lookups);
  return element("div", {{"class", "figures"}}, drawn);
}

}  // namespace

Section cache_section(const Period& period) {
  Section section{.id = "cache", .title = "The audio cache"};
  bool const by_hour = period.now - period.since <= kByHourUpTo;
  static pg::Statement statement(kSteps, {TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID});
  Facts const facts(statement,
                    {argument(period.since), argument(period.now), pg::text_argument(by_hour ? "hour" : "day")});
  Counted sum;
  for (std::size_t i = 0; i < facts.size(); i++) {
    Counted const step = counted(facts, i);
    sum = {sum.hits + step.hits, sum.misses + step.misses, sum.puts + step.puts, sum.expired + step.expired,
           sum.evicted + step.evicted};
  }
  Markup const drawn = sum.lookups() > 0 ? charts(facts, by_hour, sum) : Markup();

  static pg::Statement contents(kContents, {});
  Facts const held(contents);
  std::int64_t const entries = held.bigint(0, 1);
  std::int64_t const size = held.bigint(0, 2);
  if (sum.lookups() + sum.puts + entries == 0) return {};  // not used
  section.lead = (held.boolean(0, 3) ? "About " + html::count(entries) + " entries by the planner's estimate, "
                                     : std::string("Entries were not counted yet; ")) +
                 html::bytes(static_cast<double>(size)) + " of files, indexes and free space included. In this time " +
                 html::count(sum.puts) + " entries were put, " + html::count(sum.expired) +
                 " removed after they had "
                 "expired, " +
                 html::count(sum.evicted) + " before that, for room.";
  if (sum.lookups() == 0) section.lead += " No lookups were counted, which needs shared_preload_libraries.";
  section.body = drawn;
  section.tiles.push_back({"Cache hit rate", sum.lookups() > 0 ? html::percent(sum.rate()) : "\u2013",
                           Markup(html::count(sum.lookups()) + " lookups")});
  return section;
}

}  // namespace audiostore::report
