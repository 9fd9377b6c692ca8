#include "lifecycle/row_checks.hpp"

#include "lifecycle/intervals.hpp"
#include "lifecycle/row_statements.hpp"
#include "pg/identity.hpp"

namespace audiostore::lifecycle {
namespace {

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

pg::Argument text_or_null(const std::string& text) { return text.empty() ? pg::Argument() : pg::text_argument(text); }

}  // namespace

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

std::string read_age_column(const pg::Arguments& arguments, Oid relation) {
  if (arguments.null(1) && arguments.null(2)) return {};
  if (arguments.null(1) || arguments.null(2)) {
    throw pg::SqlError(ERRCODE_NULL_VALUE_NOT_ALLOWED,
                       std::string(arguments.null(1) ? "after" : "age_column") + " must not be null", {},
                       "Where age does not count, both of after and age_column are NULL.");
  }
  std::string column(arguments.name(2, "age_column"));
  check_age_column(relation, column);
  return column;
}

pg::Argument read_after(const pg::Arguments& arguments, const RowRule& rule) {
  return rule.age_column.empty() ? pg::Argument() : pg::Argument(checked_after(arguments.datum(1, "after")));
}

std::string jsonb_text(Datum jsonb) {
  return pg::call([&] { return DatumGetCString(DirectFunctionCall1(jsonb_out, jsonb)); });
}

void advise_index(const RowRule& rule) {
  if (rule.age_column.empty()) return;
  if (has_index_on(rule.relation, rule.age_column)) return;
  pg::call([&] {
    ereport(NOTICE, errmsg("table \"%s\" has no index on \"%s\"", get_rel_name(rule.relation), rule.age_column.c_str()),
            errdetail("The policy reads the whole table for each batch of rows."),
            errhint("Create an index on that column."));
  });
}

std::int64_t insert_policy(const NewPolicy& policy) {
  pg::AsExtensionOwner const owner;
  static pg::Statement insert(
      "INSERT INTO audiostore.policies (kind, relation, after, age_column, condition, action, assignments, schedule,"
      " owner, key_column, storage_class, class_expression, to_store, to_prefix, name)"
      " VALUES ($1, $2::regclass, $3, $4::name, $5, $6, $7::jsonb, $8, $9::regrole, $10::name, $11, $12, $13, $14, $15)"
      " ON CONFLICT (name) DO NOTHING RETURNING id",
      {TEXTOID, OIDOID, INTERVALOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INTERVALOID, OIDOID, TEXTOID, TEXTOID, TEXTOID,
       TEXTOID, TEXTOID, TEXTOID});
  TierTarget const target = policy.tier.value_or(TierTarget{});
  std::uint64_t const added =
      insert.execute({pg::text_argument(policy.kind), ObjectIdGetDatum(policy.rows.relation), policy.after,
                      text_or_null(policy.rows.age_column), pg::text_argument(policy.rows.condition),
                      pg::text_argument(policy.rows.action), text_or_null(policy.rows.assignments), policy.schedule,
                      ObjectIdGetDatum(policy.owner), text_or_null(target.key_column),
                      text_or_null(target.storage_class), text_or_null(target.class_expression),
                      text_or_null(target.to_store), policy.tier ? pg::text_argument(target.to_prefix) : pg::Argument(),
                      policy.name ? pg::text_argument(*policy.name) : pg::Argument()});
  if (added > 0) return insert.rows().bigint(0, 1);
  throw pg::SqlError(ERRCODE_DUPLICATE_OBJECT,
                     "policy \"" + std::string(policy.name.value_or("")) + "\" exists already", {},
                     "Change it with audiostore.alter_policy(), or remove it first.");
}

}  // namespace audiostore::lifecycle
