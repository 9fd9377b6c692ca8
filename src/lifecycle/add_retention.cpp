// add_retention_policy(): what a user may ask for. The policy's statements are tried, without being run, as they will
// run.
#include "lifecycle/intervals.hpp"
#include "lifecycle/policy.hpp"
#include "lifecycle/retention.hpp"
#include "lifecycle/row_checks.hpp"
#include "outbox/enqueue.hpp"
#include "pg/arguments.hpp"
#include "pg/identity.hpp"
#include "pg/statement.hpp"

namespace audiostore::lifecycle {
namespace {

RowRule read_rule(const pg::Arguments& arguments, Oid caller) {
  RowRule rule;
  rule.relation = DatumGetObjectId(arguments.datum(0, "relation"));
  rule.action = arguments.text(4, "action");
  check_table(rule.relation, caller);
  rule.age_column = read_age_column(arguments, rule.relation);
  if (rule.action != "delete" && rule.action != "set") {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "unknown action \"" + rule.action + "\"", {},
                       "Valid actions are delete and set.");
  }
  if ((rule.action == "set") == arguments.null(5)) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, rule.action == "set" ? "the action set needs assignments"
                                                                             : "assignments are for the action set");
  }
  if (rule.action == "set") {
    rule.assignments = jsonb_text(arguments.datum(5, "assignments"));
    check_assignments(rule.assignments);
  }
  rule.condition = canonical_condition(rule.relation, arguments.text_or_null(3).value_or("true"));
  return rule;
}

Datum add_retention_policy(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  Oid const caller = GetUserId();
  Datum const schedule = checked_schedule(arguments.datum(6, "schedule"));
  RowRule const rule = read_rule(arguments, caller);
  pg::Spi const spi;
  Retention(rule, caller, TimePoint{}).check();
  std::int64_t const id = insert_policy({.kind = "retention",
                                         .rows = rule,
                                         .tier = std::nullopt,
                                         .after = read_after(arguments, rule),
                                         .schedule = schedule,
                                         .owner = caller,
                                         .name = arguments.text_or_null(7)});
  pg::AsExtensionOwner const owner;
  advise_index(rule);
  outbox::wake_at_commit();
  return Int64GetDatum(id);
}

}  // namespace
}  // namespace audiostore::lifecycle

AUDIOSTORE_FUNCTION(add_retention_policy, audiostore::lifecycle::add_retention_policy)
