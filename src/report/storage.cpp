// What is stored where and what it costs, and which columns say so.
#include "html/chart.hpp"
#include "html/quantity.hpp"
#include "html/table.hpp"
#include "report/section.hpp"
#include "report/stored.hpp"

namespace audiostore::report {
namespace {

using html::element;
using html::Markup;
using Kind = html::Column::Kind;

constexpr std::size_t kMostLines = 25;

// Amounts by currency: they are never added.
std::vector<std::pair<std::string, double>> costs(const Stored& stored) {
  std::vector<std::pair<std::string, double>> sums;
  for (const StoredLine& line : stored.lines) {
    if (!line.monthly_cost) continue;
    auto const known = std::ranges::find(sums, line.currency, &std::pair<std::string, double>::first);
    if (known == sums.end()) {
      sums.emplace_back(line.currency, *line.monthly_cost);
    } else {
      known->second += *line.monthly_cost;
    }
  }
  return sums;
}

std::string in_words(const std::vector<std::pair<std::string, double>>& sums) {
  std::string text;
  for (const auto& [currency, amount] : sums) {
    text += (text.empty() ? "" : " + ") + html::money(amount) + " " + currency;
  }
  return text.empty() ? "\u2013" : text;
}

Markup how(const Stored& stored, const Period& period) {
  switch (stored.how) {
    case Stored::How::counted: return "Live rows of the tracked columns, counted now.";
    case Stored::How::accounted:
      return Markup("Live rows of the tracked columns as of the last accounting, ") +
             when(stored.accounted_at, period) + ".";
    case Stored::How::estimated: break;
  }
  return "Live rows of the tracked columns, estimated: " + html::percent(stored.share) +
         " of their tables was looked at. CALL audiostore.run('accounting') counts them.";
}

Markup share(const StoredLine& line, std::int64_t all) {
  double const fraction = all > 0 ? static_cast<double>(line.bytes) / static_cast<double>(all) : 0;
  return html::bar(fraction,
                   line.store + ", " + line.storage_class + ": " + html::percent(fraction) + " of all bytes") +
         html::percent(fraction);
}

Markup cost(const StoredLine& line) {
  Markup text = line.monthly_cost ? Markup(html::money(*line.monthly_cost) + " " + line.currency) : Markup("\u2013");
  return text;
}

Markup by_class(const Stored& stored) {
  bool const reasons = std::ranges::any_of(stored.lines, [](const StoredLine& line) { return !line.reason.empty(); });
  std::vector<html::Column> columns = {{"Store"},
                                       {"Class", Kind::word},
                                       {"Objects", Kind::number},
                                       {"Bytes", Kind::number},
                                       {"Share", Kind::bar},
                                       {"Cost a month", Kind::number}};
  if (reasons) columns.push_back({"Note"});
  html::Table table("Objects and bytes by store and storage class", columns);
  for (std::size_t i = 0; i < std::min(kMostLines, stored.lines.size()); i++) {
    const StoredLine& line = stored.lines[i];
    Markup name = html::value(line.store);
    if (!line.provider.empty()) name += element("small", {}, " " + line.provider);
    std::vector<Markup> cells = {name,
                                 html::value(line.storage_class),
                                 html::count(line.objects),
                                 html::bytes(static_cast<double>(line.bytes)),
                                 share(line, stored.bytes()),
                                 cost(line)};
    if (reasons) cells.push_back(words(line.reason));
    table.add(cells);
  }
  return table.empty() ? Markup() : table.finish(static_cast<std::int64_t>(stored.lines.size()));
}

// Which tables own objects; their rows by the planner's estimate, which costs nothing. Tables that came with the
// extension are named when there is something in them.
constexpr const char* kColumns =
    "SELECT t.relation::text, t.key_column::text, t.store, t.store_column::text, t.live_when, s.rows, s.bytes, "
    "count(*) OVER () "
    "FROM audiostore.tracked_columns t, LATERAL ("
    "    WITH RECURSIVE tree AS ("
    "        SELECT t.relation::oid AS oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = "
    "tree.oid) "
    "    SELECT CASE WHEN bool_or(c.reltuples < 0 AND pg_relation_size(c.oid) > 0) THEN NULL "
    "                ELSE sum(greatest(c.reltuples, 0))::int8 END AS rows, sum(pg_table_size(c.oid))::int8 AS bytes, "
    "           sum(pg_relation_size(c.oid)) > 0 AS used "
    "    FROM tree JOIN pg_class c ON c.oid = tree.oid WHERE c.relkind = 'r') s "
    "WHERE s.used OR NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = "
    "t.relation::oid "
    "                            AND d.deptype = 'e') "
    "ORDER BY s.rows DESC NULLS LAST, s.bytes DESC, 1, 2 LIMIT 12";

Markup tracked_columns() {
  static pg::Statement statement(kColumns, {});
  Facts const facts(statement);
  html::Table table(
      "Tracked columns",
      {{"Column"}, {"Store"}, {"Live when"}, {"Rows, estimate", Kind::number}, {"Size of the table", Kind::number}});
  for (std::size_t i = 0; i < facts.size(); i++) {
    Markup const store =
        facts.null(i, 3) ? Markup("as the row says: ") + key(facts.text(i, 4)) : html::value(facts.text(i, 3));
    table.add({key(facts.text(i, 1) + "." + facts.text(i, 2)), store, key(facts.text(i, 5)),
               facts.null(i, 6) ? "not analysed" : html::count(facts.bigint(i, 6)),
               html::bytes(static_cast<double>(facts.bigint(i, 7)))});
  }
  if (table.empty()) return {};
  return element("h3", {}, "Which tables say so") + table.finish(facts.bigint(0, 8));
}

Markup first_steps() {
  static constexpr const char* kSql =
      "CREATE SERVER media FOREIGN DATA WRAPPER audiostore\n"
      "    OPTIONS (provider 'local', root '/srv/audio');    -- or provider 's3', bucket '...'\n"
      "SELECT * FROM audiostore.verify_store('media');\n"
      "-- from now on the rows of this table own the objects whose keys are in its column path:\n"
      "SELECT audiostore.track('episodes', 'path', store => 'media', size_column => 'bytes');\n";
  return element("p", {{"class", "lead"}},
                 "A store is a foreign server, and any table can own objects in it. To begin:") +
         element("pre", {}, element("code", {}, kSql));
}

bool any_store() {
  static pg::Statement statement(
      "SELECT EXISTS (SELECT FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw "
      "WHERE w.fdwname = 'audiostore')",
      {});
  return Facts(statement).boolean(0, 1);
}

}  // namespace

Section storage_section(const Period& period) {
  Section section{.id = "storage", .title = "What is stored where"};
  Stored const stored = what_is_stored(period);
  if (stored.lines.empty() && stored.gaps.empty()) {
    section.lead = any_store() ? "No live row of a tracked column holds an object yet."
                               : "There is no store yet, so nothing is stored.";
    section.body = any_store() ? tracked_columns() : first_steps();
    return section;
  }
  auto const sums = costs(stored);
  std::string const about = stored.how == Stored::How::estimated ? "about " : "";
  section.lead = how(stored, period);
  section.body = by_class(stored);
  for (const std::string& gap : stored.gaps) {
    section.concerns.push_back({.what = "A tracked table could not be counted", .detail = words(gap, 1000)});
  }
  section.body += tracked_columns();
  section.tiles.push_back({"Stored", about + html::bytes(static_cast<double>(stored.bytes())),
                           Markup(about + html::count(stored.objects()) + " objects")});
  bool const priced =
      std::ranges::all_of(stored.lines, [](const StoredLine& line) { return line.monthly_cost.has_value(); });
  section.tiles.push_back({"Cost a month", in_words(sums),
                           priced ? "at the prices of storage_prices" : "without stores that have no price"});
  return section;
}

}  // namespace audiostore::report
