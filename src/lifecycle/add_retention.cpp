// add_retention_policy(): what a user may ask for. The policy's statements are tried, without being run, as they will
// run.
#include "lifecycle/intervals.hpp"
#include "lifecycle/retention.hpp"
#include "outbox/enqueue.hpp"
#include "pg/arguments.hpp"
#include "pg/identity.hpp"
#include "pg/statement.hpp"

namespace audiostore::lifecycle {
namespace {

void check_table(Oid relation, Oid caller) {
  pg::call([&] {
    char* const name = get_rel_name(relation);
    if (name == nullptr) {
      ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation with OID %u does not exist", relation));
    }
    char const kind = get_rel_relkind(relation);
    if (!pg::owns_relation(relation, caller)) aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(kind), name);
    if ((kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE) || IsCatalogRelationOid(relation) ||
        get_rel_persistence(relation) == RELPERSISTENCE_TEMP) {
      ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("cannot add a policy to \"%s\"", name),
              errhint("Policies are for ordinary and partitioned tables that are permanent."));
    }
  });
}

void check_age_column(Oid relation, const std::string& column) {
  pg::call([&] {
    AttrNumber const number = get_attnum(relation, column.c_str());
    if (number <= 0) {
      ereport(ERROR, errcode(ERRCODE_UNDEFINED_COLUMN),
              errmsg("column \"%s\" of relation \"%s\" does not exist", column.c_str(), get_rel_name(relation)));
    }
    Oid const type = get_atttype(relation, number);
    if (type != TIMESTAMPTZOID && type != TIMESTAMPOID && type != DATEOID) {
      ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("column \"%s\" cannot tell an age", column.c_str()),
              errdetail("It is of the type %s.", format_type_be(type)),
              errhint("Name a column of the type timestamptz, timestamp or date."));
    }
  });
}

void advise_index(const RowRule& rule) {
  static pg::Statement find(
      "SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
      " WHERE i.indrelid = $1 AND a.attname = $2 AND i.indisvalid AND i.indpred IS NULL",
      {OIDOID, TEXTOID});
  if (find.execute({ObjectIdGetDatum(rule.relation), pg::text_argument(rule.age_column)}) > 0) return;
  pg::call([&] {
    ereport(NOTICE, errmsg("table \"%s\" has no index on \"%s\"", get_rel_name(rule.relation), rule.age_column.c_str()),
            errdetail("The policy reads the whole table for each batch of rows."),
            errhint("Create an index on that column."));
  });
}

RowRule read_rule(const pg::Arguments& arguments, Oid caller) {
  RowRule rule;
  rule.relation = DatumGetObjectId(arguments.datum(0, "relation"));
  rule.age_column = arguments.name(2, "age_column");
  rule.action = arguments.text(4, "action");
  check_table(rule.relation, caller);
  check_age_column(rule.relation, rule.age_column);
  if (rule.action != "delete" && rule.action != "set") {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "unknown action \"" + rule.action + "\"", {},
                       "Valid actions are delete and set.");
  }
  if ((rule.action == "set") == arguments.null(5)) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, rule.action == "set" ? "the action set needs assignments"
                                                                             : "assignments are for the action set");
  }
  if (rule.action == "set") {
    Datum const given = arguments.datum(5, "assignments");
    rule.assignments = pg::call([&] { return DatumGetCString(DirectFunctionCall1(jsonb_out, given)); });
    check_assignments(rule.assignments);
  }
  rule.condition = canonical_condition(rule.relation, arguments.text_or_null(3).value_or("true"));
  return rule;
}

Datum add_retention_policy(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  Oid const caller = GetUserId();
  Datum const after = checked_after(arguments.datum(1, "after"));
  Datum const schedule = checked_schedule(arguments.datum(6, "schedule"));
  RowRule const rule = read_rule(arguments, caller);
  pg::Spi const spi;
  Retention(rule, caller, TimePoint{}).check();
  pg::AsExtensionOwner const owner;
  static pg::Statement insert(
      "INSERT INTO audiostore.policies (kind, relation, after, age_column, condition, action, assignments, schedule,"
      " owner) VALUES ('retention', $1::regclass, $2, $3::name, $4, $5, $6::jsonb, $7, $8::regrole) RETURNING id",
      {OIDOID, INTERVALOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INTERVALOID, OIDOID});
  insert.execute({ObjectIdGetDatum(rule.relation), after, pg::text_argument(rule.age_column),
                  pg::text_argument(rule.condition), pg::text_argument(rule.action),
                  rule.assignments.empty() ? pg::Argument() : pg::text_argument(rule.assignments), schedule,
                  ObjectIdGetDatum(caller)});
  std::int64_t const id = insert.rows().bigint(0, 1);
  advise_index(rule);
  outbox::wake_at_commit();
  return Int64GetDatum(id);
}

}  // namespace
}  // namespace audiostore::lifecycle

AUDIOSTORE_FUNCTION(add_retention_policy, audiostore::lifecycle::add_retention_policy)
