// Scratch objects on a lease, and promotions that failed.
#include "html/quantity.hpp"
#include "html/table.hpp"
#include "report/section.hpp"

namespace audiostore::report {
namespace {

using Kind = html::Column::Kind;

constexpr const char* kTemporary =
    "SELECT store, state, count(*), min(created_at), min(expires_at) FILTER (WHERE state = 'leased'), "
    "       left(max(last_error) FILTER (WHERE state = 'failed'), 1000), count(*) OVER () "
    "FROM audiostore.temporary_objects GROUP BY 1, 2 "
    "ORDER BY state = 'failed' DESC, 3 DESC, 1, 2 LIMIT 20";

}  // namespace

Section temporary_section(const Period& period) {
  Section section{.id = "temporary", .title = "Temporary objects"};
  static pg::Statement statement(kTemporary, {});
  Facts const facts(statement);
  if (facts.size() == 0) return {};
  html::Table table("Temporary objects by store and state", {{"Store"},
                                                             {"State", Kind::word},
                                                             {"Number", Kind::number},
                                                             {"Oldest", Kind::word},
                                                             {"Next expiry", Kind::word},
                                                             {"Last error"}});
  for (std::size_t i = 0; i < facts.size(); i++) {
    std::string const state = facts.text(i, 2);
    table.add({html::value(facts.text(i, 1)), state, html::count(facts.bigint(i, 3)), when(facts.time(i, 4), period),
               when(facts.time(i, 5), period), words(facts.text(i, 6))});
    if (state != "failed") continue;
    Concern concern;
    concern.urgent = true;
    std::int64_t const number = facts.bigint(i, 3);
    concern.what = html::count(number) + (number == 1 ? " temporary object" : " temporary objects") + " of store " +
                   facts.text(i, 1) + " could not be promoted";
    concern.detail = words(facts.text(i, 6));
    concern.since = facts.time(i, 4);
    concern.sql = {
        "SELECT key, promoted_to_store, promoted_to, last_error FROM audiostore.temporary_objects WHERE state = "
        "'failed';",
        "-- then promote_object() again with the same arguments, or release_temporary_object()"};
    section.concerns.push_back(std::move(concern));
  }
  section.lead =
      "Scratch objects on a lease. What was promoted, released or has expired is history, and goes by itself.";
  section.body = table.finish(facts.bigint(0, 7));
  return section;
}

}  // namespace audiostore::report
