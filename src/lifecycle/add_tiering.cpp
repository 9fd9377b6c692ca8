// add_tiering_policy(): what a user may ask for. The policy's statements are tried, without being run, as they will
// run.
#include "foreign/catalog.hpp"
#include "lifecycle/intervals.hpp"
#include "lifecycle/row_checks.hpp"
#include "lifecycle/tiering.hpp"
#include "outbox/enqueue.hpp"
#include "pg/identity.hpp"

namespace audiostore::lifecycle {
namespace {

pg::SqlError invalid(std::string message, std::string hint = {}) {
  return {ERRCODE_INVALID_PARAMETER_VALUE, std::move(message), {}, std::move(hint)};
}

// The table's one tracked column, where the caller names none.
std::string key_column_of(Oid relation, std::string_view given) {
  if (!given.empty()) return std::string(given);
  static pg::Statement find(
      "SELECT key_column::text FROM audiostore.tracked_columns WHERE relation = $1"
      " OR relation IN (SELECT relid FROM pg_partition_ancestors($1::regclass)) LIMIT 2",
      {OIDOID});
  std::uint64_t const found = find.execute({ObjectIdGetDatum(relation)});
  if (found == 1) return find.rows().text(0, 1);
  if (found > 1) throw invalid("the table has several tracked columns", "Name one of them as key_column.");
  throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "the table has no tracked column", {},
                     "A policy moves the objects of a column that audiostore.track() knows.");
}

TierTarget read_target(const pg::Arguments& arguments, Oid relation, Oid caller) {
  TierTarget target{.key_column = key_column_of(relation, arguments.name_or_empty(6)),
                    .storage_class = std::string(arguments.text_or_null(3).value_or("")),
                    .class_expression = {},
                    .to_store = std::string(arguments.name_or_empty(4)),
                    .to_prefix = std::string(arguments.text_or_null(9).value_or(""))};
  auto const expression = arguments.text_or_null(10);
  if (expression) target.class_expression = canonical_text_expression(relation, *expression);
  int const classes = static_cast<int>(!target.storage_class.empty()) + static_cast<int>(expression.has_value());
  bool const moves = !target.to_store.empty() || !target.to_prefix.empty();
  if (classes + static_cast<int>(moves) != 1) {
    throw invalid(classes + static_cast<int>(moves) == 0 ? "where the objects go is missing"
                                                         : "objects cannot go to several places",
                  "Give a storage_class, a class_expression, or a to_store or to_prefix.");
  }
  if (!target.to_store.empty()) {
    foreign::StoreHandle const handle = foreign::find_store(target.to_store);
    foreign::check_usage(handle, caller);
    foreign::claim_if_unclaimed(handle);
  }
  return target;
}

void check_target_assignments(const TierRule& rule) {
  bool const none = rule.rows.assignments == "{}";
  if (none && !rule.target.moves()) {
    throw invalid(
        "a policy that changes storage classes needs assignments",
        R"(They mark the rows that are done, for example {"storage_class": "GLACIER", "archived_at": "now"}.)");
  }
  if (!none) check_assignments(rule.rows.assignments);
}

Datum add_tiering_policy(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  Oid const caller = GetUserId();
  pg::Spi const spi;
  RowRule rows;
  rows.relation = DatumGetObjectId(arguments.datum(0, "relation"));
  rows.action = "move";
  check_table(rows.relation, caller);
  rows.age_column = read_age_column(arguments, rows.relation);
  pg::Argument const after = read_after(arguments, rows);
  Datum const schedule = checked_schedule(arguments.datum(8, "schedule"));
  rows.condition = canonical_condition(rows.relation, arguments.text_or_null(5).value_or("true"));
  rows.assignments = arguments.null(7) ? "{}" : jsonb_text(arguments.datum(7, "assignments"));
  TierRule const rule = make_tier_rule(rows, read_target(arguments, rows.relation, caller));
  check_target_assignments(rule);
  Tiering(rule, {.policy = 0, .owner = caller, .before = TimePoint{}}).check();
  std::int64_t const id = insert_policy({.kind = "tiering",
                                         .rows = rows,
                                         .tier = rule.target,
                                         .after = after,
                                         .schedule = schedule,
                                         .owner = caller,
                                         .name = arguments.text_or_null(11)});
  pg::AsExtensionOwner const owner;
  advise_index(rows);
  outbox::wake_at_commit();
  return Int64GetDatum(id);
}

}  // namespace
}  // namespace audiostore::lifecycle

AUDIOSTORE_FUNCTION(add_tiering_policy, audiostore::lifecycle::add_tiering_policy)
