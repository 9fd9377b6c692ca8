// report(): gathers the sections, and puts what needs attention before all of them.
#include "html/document.hpp"
#include "html/quantity.hpp"
#include "html/table.hpp"
#include "pg/arguments.hpp"
#include "pg/identity.hpp"
#include "pg/time.hpp"
#include "report/section.hpp"

namespace audiostore::report {
namespace {

using html::element;
using html::Markup;

// Whose page it is.
struct Identity {
  std::string database, server, version, extension;
  bool standby = false;
};

Identity identity() {
  static pg::Statement statement(
      "SELECT current_database()::text, current_setting('cluster_name'), "
      "split_part(current_setting('server_version'), ' ', 1), pg_is_in_recovery(), "
      "(SELECT extversion FROM pg_extension WHERE extname = 'audiostore')",
      {});
  Facts const facts(statement);
  return {facts.text(0, 1), facts.text(0, 2), facts.text(0, 3), facts.text(0, 5), facts.boolean(0, 4)};
}

Markup header(const Identity& identity, const Period& period) {
  html::Element facts("p", {{"class", "facts"}});
  auto const fact = [&](const Markup& text) { facts.add(element("span", {}, text)); };
  fact(Markup("as of ") + element("time", {{"datetime", html::second(period.now)}}, html::minute(period.now)));
  fact("looking back to " + html::minute(period.since));
  if (!identity.server.empty()) fact(Markup("cluster ") + html::value(identity.server));
  if (identity.standby) fact("a standby");
  fact("audiostore " + identity.extension + " on PostgreSQL " + identity.version);
  return element("p", {{"class", "kicker"}}, "audiostore report") + element("h1", {}, html::value(identity.database)) +
         std::move(facts).finish();
}

Markup tiles(const std::vector<Section>& sections) {
  html::Element list("dl", {{"class", "tiles"}});
  for (const Section& section : sections) {
    for (const Tile& tile : section.tiles) {
      list.add(element("div", {{"class", tile.alarm ? "alarm" : "tile"}}, element("dt", {}, tile.name),
                       element("dd", {}, tile.figure), element("dd", {{"class", "note"}}, tile.note)));
    }
  }
  return std::move(list).finish();
}

Markup one_concern(const Concern& concern, const Period& period) {
  html::Element article("article", {{"class", concern.urgent ? "concern urgent" : "concern"}});
  article.add(element("h3", {}, element("span", {{"class", "tag"}}, concern.urgent ? "Act" : "Look"),
                      html::value(concern.what)));
  if (concern.since) article.add(element("p", {{"class", "since"}}, "since ", when(concern.since, period)));
  article.add(element("p", {}, concern.detail));
  if (!concern.sql.empty()) {
    Markup lines;
    for (const std::string& line : concern.sql) lines += line + "\n";
    article.add(element("pre", {}, element("code", {}, lines)));
  }
  return std::move(article).finish();
}

// An alert that another section explains better is left to it.
bool covered(const Concern& concern, const std::vector<const Concern*>& others) {
  return std::ranges::any_of(others, [&](const Concern* other) {
    return other != &concern && other->alert == concern.alert && !concern.alert.first.empty();
  });
}

std::vector<const Concern*> concerns_of(const std::vector<Section>& sections) {
  std::vector<const Concern*> kept;
  std::vector<const Concern*> alerts;
  for (const Section& section : sections) {
    for (const Concern& concern : section.concerns) (section.id == "alerts" ? alerts : kept).push_back(&concern);
  }
  std::erase_if(alerts, [&](const Concern* alert) { return covered(*alert, kept); });
  kept.insert(kept.end(), alerts.begin(), alerts.end());
  std::ranges::stable_sort(kept, [](const Concern* a, const Concern* b) { return a->urgent && !b->urgent; });
  return kept;
}

Markup attention(const std::vector<Section>& sections, const Period& period) {
  constexpr std::size_t kMost = 25;
  std::vector<const Concern*> const concerns = concerns_of(sections);
  Markup const title = element("h2", {}, "What needs attention");
  if (concerns.empty()) {
    return element("section", {{"id", "attention"}}, title,
                   element("div", {{"class", "calm"}},
                           element("p", {},
                                   "Nothing. There are no open alerts, dead operations or jobs, failing policies "
                                   "or open findings of audits; nothing that is due waits, and no quota is near "
                                   "its limit.")));
  }
  html::Element list("div", {{"class", "concerns"}});
  for (std::size_t i = 0; i < std::min(kMost, concerns.size()); i++) list.add(one_concern(*concerns[i], period));
  return element("section", {{"id", "attention"}}, title, std::move(list).finish(),
                 html::and_more(static_cast<std::int64_t>(concerns.size()), kMost));
}

Markup navigation(const std::vector<Section>& sections) {
  html::Element list("ul", {});
  list.add(element("li", {}, html::link_to("attention", "What needs attention")));
  for (const Section& section : sections) {
    if (!section.body.empty() || !section.lead.empty()) {
      list.add(element("li", {}, html::link_to(section.id, section.title)));
    }
  }
  return element("nav", {{"aria-label", "Sections"}}, std::move(list).finish());
}

Markup body(const std::vector<Section>& sections) {
  Markup all;
  for (const Section& section : sections) {
    if (section.body.empty() && section.lead.empty()) continue;
    all += element("section", {{"id", section.id}}, element("h2", {}, section.title),
                   element("p", {{"class", "lead"}}, section.lead), section.body);
  }
  return all;
}

Markup footer() {
  return element(
             "p", {},
             "Everything on this page is as of one moment, and counted where nothing else is said. Times are UTC; the "
             "exact one is shown over a relative one. A GB is 10^9 bytes.") +
         element("p", {}, "Made by ", element("code", {}, "SELECT audiostore.report()"),
                 ", which only reads. The page loads nothing and runs no script.");
}

// A section, and what is said of it where its feature is not used.
struct Part {
  Section (*make)(const Period&) = nullptr;
  const char* name = nullptr;
  const char* call = nullptr;
  const char* does = nullptr;
};

constexpr Part kParts[] = {
    {storage_section},
    {growth_section},
    {cache_section, "The audio cache", "cache_put()",
     "keeps encoded audio for cache_get(), for a time and within limits."},
    {quotas_section, "Quotas", "storage_quotas", "has a row for each workspace with limits."},
    {policies_section},
    {queue_section},
    {audits_section},
    {jobs_section, "Jobs and segments", "enqueue_job()", "queues work for workers in and out of the database."},
    {temporary_section, "Temporary objects", "create_temporary_object()", "leases a key and an URL to upload to."},
    {alerts_section},
    {runs_section}};

Markup unused_parts(const std::vector<const Part*>& parts) {
  if (parts.empty()) return {};
  html::Element list("ul", {{"class", "unused"}});
  for (const Part* part : parts) {
    list.add(element("li", {}, element("strong", {}, part->name), " ", code(part->call), " ", part->does));
  }
  return element("section", {{"id", "unused"}}, element("h2", {}, "Not in use"), std::move(list).finish());
}

std::string make_report(const Period& period) {
  Identity const who = identity();
  std::vector<Section> sections;
  std::vector<const Part*> unused;
  for (const Part& part : kParts) {
    pg::check_interrupts();
    Section section = part.make(period);
    if (!section.id.empty()) {
      sections.push_back(std::move(section));
    } else if (part.name != nullptr) {
      unused.push_back(&part);
    }
  }
  Markup const page =
      element("header", {}, header(who, period), navigation(sections)) +
      element("main", {}, tiles(sections), attention(sections, period), body(sections), unused_parts(unused)) +
      element("footer", {}, footer());
  return html::document("audiostore report: " + who.database, page);
}

Period period_of(const pg::Arguments& arguments) {
  Datum const since = arguments.datum(0, "since");
  auto const length = pg::to_microseconds(*DatumGetIntervalP(since));
  constexpr auto kLongest = std::chrono::hours(24 * 36000);
  if (length <= std::chrono::microseconds(0) || length > kLongest) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "since must be positive, and at most 100 years");
  }
  TimestampTz const now = GetCurrentStatementStartTimestamp();
  // By the calendar: a month is not always 30 days.
  TimestampTz const then = pg::call([&] {
    return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(now), since));
  });
  return {pg::to_time_point(then), pg::to_time_point(now)};
}

Datum report(FunctionCallInfo info) {
  Period const period = period_of(pg::Arguments(info));
  std::string page;
  {
    pg::Spi const spi(pg::Spi::Sees::statement);
    // Members of pg_monitor may not read all of these tables; what they see of them is this page.
    pg::AsExtensionOwner const owner;
    page = make_report(period);
  }
  return pg::varlena_datum(page);
}

}  // namespace

AUDIOSTORE_FUNCTION(report, report)

}  // namespace audiostore::report
