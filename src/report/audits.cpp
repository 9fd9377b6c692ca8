// Audits: how the last one of each store went, and what to do about what it found.
#include "html/quantity.hpp"
#include "html/table.hpp"
#include "report/section.hpp"

namespace audiostore::report {
namespace {

using html::element;
using html::Markup;
using Kind = html::Column::Kind;

// The last audit of each store and prefix that has come to an end, well or not; and what runs or waits.
constexpr const char* kAudits =
    "WITH last AS ("
    "    SELECT DISTINCT ON (store, prefix, state IN ('queued', 'running')) * FROM audiostore.audits WHERE state <> "
    "'cancelled' "
    "    ORDER BY store, prefix, state IN ('queued', 'running'), id DESC) "
    "SELECT id, store, prefix, state, complete, started_at, finished_at, objects, bytes, findings, left(error, 1000), "
    "       objects_expected, verified, count(*) OVER () "
    "FROM last ORDER BY state = 'failed' DESC, findings DESC, id DESC LIMIT 20";

// What is open of the last audit of each store and prefix that came to the end of the listing.
constexpr const char* kFindings =
    "WITH last AS ("
    "    SELECT DISTINCT ON (store, prefix) id, store, prefix, finished_at FROM audiostore.audits "
    "    WHERE state = 'done' ORDER BY store, prefix, id DESC) "
    "SELECT l.id, l.store, f.finding, count(*), sum(f.size)::float8, min(f.key), l.finished_at, left(min(f.detail), "
    "500), "
    "       min(f.relation::text), count(*) OVER (), sum(count(*)) OVER ()::int8 "
    "FROM last l JOIN audiostore.audit_findings f ON f.audit_id = l.id WHERE f.resolution IS NULL "
    "GROUP BY l.id, l.store, l.finished_at, f.finding "
    "ORDER BY array_position(ARRAY['dangling_row', 'wrong_bytes', 'size_mismatch', 'orphaned_object', "
    "'unfinished_upload'], f.finding), "
    "    4 DESC, 1 LIMIT 20";

struct Meaning {
  std::string_view finding;
  const char* one;
  const char* many;
  const char* says;
  bool urgent;
};

constexpr Meaning kMeanings[] = {
    {"dangling_row", "row without its object", "rows without their objects",
     "Live rows point at objects that are not there.", true},
    {"wrong_bytes", "object with wrong bytes", "objects with wrong bytes", "Rows state another checksum.", true},
    {"size_mismatch", "object of another size", "objects of another size", "Rows state another size.", false},
    {"orphaned_object", "object without a row", "objects without a row",
     "Nothing in the database speaks for them, and they are paid for.", false},
    {"unfinished_upload", "unfinished upload", "unfinished uploads",
     "Parts are kept and paid for, and there is no object.", false},
};

std::vector<std::string> advice(const std::string& finding, const std::string& audit) {
  std::string const look =
      "SELECT key, size, relation, detail FROM audiostore.audit_findings WHERE audit_id = " + audit +
      " AND finding = '" + finding + "' AND resolution IS NULL ORDER BY key LIMIT 100;";
  if (finding == "orphaned_object") {
    return {look, "SELECT * FROM audiostore.purge_orphans(" + audit + ");    -- only says what it would do",
            "SELECT * FROM audiostore.purge_orphans(" + audit + ", dry_run => false);"};
  }
  if (finding == "dangling_row") {
    return {look, "-- one of these: the row goes, lets go of the key, or gets its object back from a copy",
            "SELECT * FROM audiostore.repair_dangling(" + audit + ", 'delete_row');",
            "SELECT * FROM audiostore.repair_dangling(" + audit + ", 'set_null');",
            "SELECT * FROM audiostore.repair_dangling(" + audit + ", 'restore', from_store => '...');"};
  }
  return {look};
}

Markup findings_table(const Period& period, Section& section) {
  static pg::Statement statement(kFindings, {});
  Facts const facts(statement);
  if (facts.size() == 0) return {};
  html::Table table("Open findings", {{"Finding", Kind::word},
                                      {"Store"},
                                      {"Number", Kind::number},
                                      {"Bytes", Kind::number},
                                      {"First key"},
                                      {"Table"},
                                      {"Found", Kind::word}});
  for (std::size_t i = 0; i < facts.size(); i++) {
    std::string const finding = facts.text(i, 3);
    std::string const audit = std::to_string(facts.bigint(i, 1));
    std::int64_t const number = facts.bigint(i, 4);
    table.add({finding, html::value(facts.text(i, 2)), html::count(number),
               facts.null(i, 5) ? Markup() : Markup(html::bytes(facts.number(i, 5))), key(facts.text(i, 6)),
               key(facts.text(i, 9)), when(facts.time(i, 7), period)});
    const auto* const known = std::ranges::find(kMeanings, std::string_view(finding), &Meaning::finding);
    if (known == std::end(kMeanings)) continue;
    Concern concern;
    concern.urgent = known->urgent;
    concern.what =
        html::count(number) + " " + (number == 1 ? known->one : known->many) + " in store " + facts.text(i, 2);
    concern.detail = Markup(known->says);
    if (facts.number(i, 5) > 0) concern.detail += " " + html::bytes(facts.number(i, 5)) + " in all.";
    concern.since = facts.time(i, 7);
    concern.sql = advice(finding, audit);
    concern.alert = {"audit_findings", facts.text(i, 2)};
    section.concerns.push_back(std::move(concern));
  }
  section.tiles.push_back({"Open findings", html::count(facts.bigint(0, 11)), "of the last audits", true});
  return element("h3", {}, "Open findings") + table.finish(facts.bigint(0, 10));
}

Markup outcome(const Facts& facts, std::size_t row) {
  std::string const state = facts.text(row, 4);
  Markup text = state == "failed" ? element("span", {{"class", "bad"}}, "failed") : Markup(state);
  if (state == "done" && !facts.boolean(row, 5)) text = "done, not complete";
  if (!facts.null(row, 11)) text += Markup(": ") + words(facts.text(row, 11));
  return text;
}

void judge(const Facts& facts, std::size_t row, Section& section) {
  if (facts.text(row, 4) != "failed") return;
  std::string const id = std::to_string(facts.bigint(row, 1));
  section.concerns.push_back(
      {.urgent = true,
       .what = "The audit of store " + facts.text(row, 2) + " failed",
       .detail = words(facts.text(row, 11)),
       .since = facts.time(row, 7),
       .sql = {"SELECT * FROM audiostore.audits WHERE id = " + id + ";", "-- when the cause is gone:",
               "SELECT audiostore.start_audit(store, prefix, min_age, verify, sample) FROM "
               "audiostore.audits WHERE id = " +
                   id + ";"},
       .alert = {"audit_failed", facts.text(row, 2)}});
}

}  // namespace

Section audits_section(const Period& period) {
  Section section{.id = "audits", .title = "Audits"};
  static pg::Statement statement(kAudits, {});
  Facts const facts(statement);
  if (facts.size() == 0) {
    section.lead = "There was none: whether the stores hold what the rows say was not checked. " +
                   code("add_audit_policy()") + " has each store checked every day, " + code("start_audit()") +
                   " once.";
    return section;
  }
  html::Table table("The last audit of each store", {{"Store"},
                                                     {"Keys"},
                                                     {"Outcome"},
                                                     {"Ended", Kind::word},
                                                     {"Objects", Kind::number},
                                                     {"Bytes", Kind::number},
                                                     {"Findings", Kind::number}});
  std::int64_t const total = facts.bigint(0, 14);
  for (std::size_t i = 0; i < facts.size(); i++) {
    table.add({html::value(facts.text(i, 2)), facts.text(i, 3).empty() ? Markup("all") : key(facts.text(i, 3)),
               outcome(facts, i), when(facts.time(i, 7), period), html::count(facts.bigint(i, 8)),
               html::bytes(static_cast<double>(facts.bigint(i, 9))), html::count(facts.bigint(i, 10))});
    judge(facts, i, section);
  }
  section.lead = "Whether the stores hold what the rows say.";
  section.body = table.finish(total) + findings_table(period, section);
  return section;
}

}  // namespace audiostore::report
