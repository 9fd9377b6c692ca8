// Policies, and how their last runs went.
#include "html/quantity.hpp"
#include "html/table.hpp"
#include "report/section.hpp"

namespace audiostore::report {
namespace {

using html::element;
using html::Markup;
using Kind = html::Column::Kind;

constexpr const char* kPolicies =
    "SELECT id, kind, store, prefix, relation::text, condition, (extract(epoch FROM after) * 1e6)::int8, "
    "(extract(epoch FROM schedule) * 1e6)::int8, owner::text, state, "
    "       next_run_at, last_finished_at, last_result, last_rows, last_bytes, last_kept, left(last_row_error, 1000), "
    "       left(last_error, 1000), action, assignments::text, count(*) OVER (), "
    "       name, coalesce(storage_class, class_expression), to_store "
    "FROM audiostore.policy_status "
    "ORDER BY last_result = 'failed' DESC NULLS LAST, coalesce(last_kept, 0) > 0 DESC, id LIMIT 40";

Markup about(const Facts& facts, std::size_t row) {
  std::string const condition = facts.text(row, 6);
  if (!facts.null(row, 5)) {
    Markup text = key(facts.text(row, 5));
    if (!condition.empty() && condition != "true") text += Markup(" where ") + key(condition);
    return text;
  }
  if (facts.text(row, 4).empty()) return key(facts.text(row, 3)) + ", all of it";
  return key(facts.text(row, 3)) + ", keys from " + key(facts.text(row, 4));
}

std::string span(const Facts& facts, std::size_t row, int column) {
  return html::in_words(std::chrono::microseconds(facts.bigint(row, column)));
}

Markup timing(const Facts& facts, std::size_t row) {
  return (facts.null(row, 7) ? "" : " after " + span(facts, row, 7)) + ", every " + span(facts, row, 8);
}

Markup move(const Facts& facts, std::size_t row) {
  std::string const storage_class = facts.text(row, 23);
  std::string const store = facts.text(row, 24);
  Markup text = "move";
  if (!store.empty()) text += Markup(" to store ") + html::value(store);
  if (!storage_class.empty()) text += Markup(" to class ") + html::value(storage_class);
  return text + timing(facts, row);
}

Markup rule(const Facts& facts, std::size_t row) {
  std::string const action = facts.text(row, 19);
  if (action == "move") return move(facts, row);
  bool const audit = facts.text(row, 2) == "audit";
  std::string const what = action == "set" ? "set " : audit ? "audit" : action.empty() ? "delete" : action;
  return Markup(what) + (action == "set" ? key(facts.text(row, 20)) : Markup()) + timing(facts, row);
}

Markup named(const Facts& facts, std::size_t row) {
  return facts.null(row, 22) ? Markup() : element("small", {}, " ", html::value(facts.text(row, 22)));
}

Markup last_run(const Facts& facts, std::size_t row, const Period& period) {
  if (facts.null(row, 12)) return "never ran";
  if (facts.text(row, 13) == "failed") {
    return element("span", {{"class", "bad"}}, "failed") + " " + when(facts.time(row, 12), period) + ": " +
           words(facts.text(row, 18));
  }
  Markup text = "done " + when(facts.time(row, 12), period);
  if (facts.bigint(row, 16) > 0) {
    text += element("span", {{"class", "bad"}}, ", " + html::count(facts.bigint(row, 16)) + " passed over") + ": " +
            words(facts.text(row, 17));
  }
  return text;
}

void judge(const Facts& facts, std::size_t row, Section& section) {
  std::string const id = std::to_string(facts.bigint(row, 1));
  bool const failed = facts.text(row, 13) == "failed";
  if (!failed && facts.bigint(row, 16) == 0) return;
  Concern concern;
  concern.urgent = failed;
  concern.since = facts.time(row, 12);
  if (failed) {
    concern.what = "Policy " + id + " failed";
    concern.detail = about(facts, row) + ":\n" + words(facts.text(row, 18));
    concern.alert = {"policy_failed", id};
  } else {
    concern.what = "Policy " + id + " passed over " + html::count(facts.bigint(row, 16)) + " rows";
    concern.detail = about(facts, row) + ":\n" + words(facts.text(row, 17));
  }
  concern.sql = {"SELECT * FROM audiostore.policy_status WHERE id = " + id + ";",
                 "-- when the cause is gone:", "SELECT audiostore.run_policy(" + id + ");"};
  section.concerns.push_back(std::move(concern));
}

}  // namespace

Section policies_section(const Period& period) {
  Section section{.id = "policies", .title = "Policies"};
  static pg::Statement statement(kPolicies, {});
  Facts const facts(statement);
  if (facts.size() == 0) {
    section.lead = "There are none: what is old stays. " + code("add_expiry_policy()") + " removes old objects, " +
                   code("add_retention_policy()") + " old rows and their objects with them, and " +
                   code("add_tiering_policy()") + " moves what is old to where it is cheaper.";
    return section;
  }
  section.lead = "What goes or moves on by itself, and how the last run of each went.";
  html::Table table("Policies", {{"Policy"},
                                 {"About"},
                                 {"Rule"},
                                 {"State", Kind::word},
                                 {"Last run"},
                                 {"Rows", Kind::number},
                                 {"Bytes", Kind::number},
                                 {"Next run", Kind::word}});
  for (std::size_t i = 0; i < facts.size(); i++) {
    table.add({Markup(std::to_string(facts.bigint(i, 1)) + " " + facts.text(i, 2)) + named(facts, i), about(facts, i),
               rule(facts, i), facts.text(i, 10), last_run(facts, i, period),
               facts.null(i, 14) ? Markup() : Markup(html::count(facts.bigint(i, 14))),
               facts.null(i, 15) ? Markup() : Markup(html::bytes(static_cast<double>(facts.bigint(i, 15)))),
               facts.text(i, 10) == "disabled" ? Markup() : when(facts.time(i, 11), period)});
    judge(facts, i, section);
  }
  section.body = table.finish(facts.bigint(0, 21));
  return section;
}

}  // namespace audiostore::report
