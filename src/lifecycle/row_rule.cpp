#include "lifecycle/row_rule.hpp"

#include <nlohmann/json.hpp>

namespace audiostore::lifecycle {
namespace {

struct Assignment {
  std::string column;
  std::string value;  // as SQL
  bool now = false;
};

bool tells_time(Oid relation, const std::string& column) {
  return pg::call([&] {
    AttrNumber const number = get_attnum(relation, column.c_str());
    if (number <= 0) return false;
    Oid const type = getBaseType(get_atttype(relation, number));
    return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID;
  });
}

std::vector<Assignment> assignments_of(const RowRule& rule) {
  std::vector<Assignment> assignments;
  if (rule.assignments.empty()) return assignments;
  nlohmann::json const given = nlohmann::json::parse(rule.assignments);
  for (auto const& [column, value] : given.items()) {
    Assignment one{.column = quoted_name(column), .value = "NULL"};
    if (value == "now" && tells_time(rule.relation, column)) {
      one.value = "pg_catalog.clock_timestamp()";
      one.now = true;
    } else if (!value.is_null()) {
      one.value = quoted_literal(value.is_string() ? value.get<std::string>() : value.dump());
    }
    assignments.push_back(std::move(one));
  }
  return assignments;
}

std::string size_sql(const RowRule& rule) {
  return rule.size_column.empty() ? "NULL::bigint" : "t." + quoted_name(rule.size_column) + "::bigint";
}

// Positions in a syntax error count in the condition, not in the statement that the user sent.
void explain_error(void* text) {
  int const position = geterrposition();
  if (position > 0) {
    errposition(0);
    internalerrposition(position);
    internalerrquery(static_cast<const char*>(text));
  }
  errcontext("condition of a policy");
}

enum class Wanted { condition, text };

// Inside pg::call.
char* canonical(Relation relation, const char* text, Wanted wanted) {
  ErrorContextCallback context = {
      .previous = error_context_stack, .callback = explain_error, .arg = const_cast<char*>(text)};
  error_context_stack = &context;
  List* const raw = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
  auto* const select = castNode(SelectStmt, linitial_node(RawStmt, raw)->stmt);
  bool const plain = list_length(select->targetList) == 1 &&
                     linitial_node(ResTarget, select->targetList)->name == nullptr && select->distinctClause == NIL &&
                     select->fromClause == NIL && select->whereClause == nullptr && select->groupClause == NIL &&
                     select->havingClause == nullptr && select->windowClause == NIL && select->sortClause == NIL &&
                     select->limitOffset == nullptr && select->limitCount == nullptr && select->lockingClause == NIL &&
                     select->op == SETOP_NONE;
  if (!plain) {
    ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
            errmsg("%s must be one expression", wanted == Wanted::text ? "class_expression" : "condition"));
  }
  ParseState* const state = make_parsestate(nullptr);
  state->p_sourcetext = text;
  addNSItemToQuery(state, addRangeTableEntryForRelation(state, relation, AccessShareLock, nullptr, false, true), false,
                   true, true);
  Node* condition = transformExpr(state, linitial_node(ResTarget, select->targetList)->val, EXPR_KIND_WHERE);
  condition = wanted == Wanted::text ? coerce_to_specific_type(state, condition, TEXTOID, "class_expression")
                                     : coerce_to_boolean(state, condition, "condition");
  assign_expr_collations(state, condition);
  List* const names = deparse_context_for("t", RelationGetRelid(relation));
  int const level = NewGUCNestLevel();
  set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  char* const written = deparse_expression(condition, names, true, false);
  AtEOXact_GUC(true, level);
  error_context_stack = context.previous;
  return written;
}

std::string canonical_expression(Oid relation, std::string_view text, Wanted wanted) {
  std::string const copy(text);
  return pg::call([&]() -> const char* {
    Relation const table = table_open(relation, AccessShareLock);
    const char* const written = canonical(table, copy.c_str(), wanted);
    table_close(table, NoLock);
    return written;
  });
}

std::string range_sql(const RowRule& rule, Oid leaf, WithinAge within_age) {
  std::string const age = "t." + quoted_name(rule.age_column);
  std::string const from =
      " FROM ONLY " + quoted_relation(leaf) + " AS t WHERE " + due_sql(rule) + " AND " + age + " >= $2";
  // Only where it has to be: a place is not in the index, which alone may tell where the batch ends.
  return within_age == WithinAge::yes ? from + " AND (" + age + ", t.ctid) > ($2, $3)" : from;
}

}  // namespace

std::string quoted_name(std::string_view name) {
  std::string const copy(name);
  return pg::call([&] { return quote_identifier(copy.c_str()); });
}

std::string quoted_literal(const std::string& text) {
  return pg::call([&] { return quote_literal_cstr(text.c_str()); });
}

std::string quoted_relation(Oid relation) {
  const char* const name = pg::call([&]() -> const char* {
    char* const plain = get_rel_name(relation);
    if (plain == nullptr) {
      ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation with OID %u does not exist", relation));
    }
    return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), plain);
  });
  return name;
}

std::string canonical_condition(Oid relation, std::string_view text) {
  return canonical_expression(relation, text, Wanted::condition);
}

std::string canonical_text_expression(Oid relation, std::string_view text) {
  return canonical_expression(relation, text, Wanted::text);
}

std::string assignments_sql(const RowRule& rule) {
  std::string set;
  for (Assignment const& one : assignments_of(rule)) {
    set += (set.empty() ? "" : ", ") + one.column + " = " + one.value;
  }
  return set;
}

std::string different_sql(const RowRule& rule) {
  std::string different;
  for (Assignment const& one : assignments_of(rule)) {
    different += (different.empty() ? "" : " OR ") + ("t." + one.column) +
                 (one.now ? std::string(" IS NULL") : " IS DISTINCT FROM " + one.value);
  }
  return different.empty() ? "false" : different;
}

std::string due_sql(const RowRule& rule) {
  std::string sql = "(" + rule.condition + ")";
  if (!rule.age_column.empty()) sql = "t." + quoted_name(rule.age_column) + " < $1 AND " + sql;
  if (rule.action == "set") sql += " AND (" + different_sql(rule) + ")";
  return sql;
}

void check_assignments(const std::string& assignments) {
  auto const given = nlohmann::json::parse(assignments);
  bool const usable = given.is_object() && !given.empty() &&
                      std::all_of(given.begin(), given.end(), [](auto const& value) { return value.is_primitive(); });
  if (usable) return;
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "assignments must be an object with a value for each column", {},
                     R"(For example {"state": "archived"}, or {"storage_path": null}.)");
}

std::string find_rows_sql(const RowRule& rule, Oid leaf, const FindRows& find) {
  bool const aged = !rule.age_column.empty();
  std::string const age = aged ? "t." + quoted_name(rule.age_column) : std::string("'-infinity'");
  std::string sql = "SELECT t.ctid, " + age + "::timestamptz, " + size_sql(rule) + find.columns + " FROM ONLY " +
                    quoted_relation(leaf) + " AS t WHERE " + due_sql(rule) + find.where;
  if (aged) {
    sql += " AND " + age + " >= $2 AND (" + age + ", t.ctid) > ($2, $3) ORDER BY " + age + ", t.ctid";
  } else {
    sql += " AND t.ctid > $3 ORDER BY t.ctid";
  }
  return sql + " LIMIT $4" + find.locking;
}

std::string find_edge_sql(const RowRule& rule, Oid leaf, WithinAge within_age) {
  std::string const age = "t." + quoted_name(rule.age_column);
  return "SELECT " + age + "::timestamptz" + range_sql(rule, leaf, within_age) + " ORDER BY " + age +
         " OFFSET $4 LIMIT 1";
}

std::string delete_range_sql(const RowRule& rule, Oid leaf, WithinAge within_age) {
  std::string sql = "DELETE" + range_sql(rule, leaf, within_age) + " AND t." + quoted_name(rule.age_column) + " < $4";
  return rule.size_column.empty() ? sql : sql + " RETURNING " + size_sql(rule);
}

std::string change_rows_sql(const RowRule& rule, Oid leaf) {
  std::string const table = "ONLY " + quoted_relation(leaf) + " AS t";
  std::string const which = " WHERE t.ctid = ANY ($1)";
  if (rule.action == "delete") return "DELETE FROM " + table + which;
  return "UPDATE " + table + " SET " + assignments_sql(rule) + which;
}

std::string due_rows_sql(const RowRule& rule, const std::string& where) {
  return "SELECT FROM " + quoted_relation(rule.relation) + " AS t WHERE " + due_sql(rule) + where;
}

std::string count_rows_sql(const RowRule& rule, const std::string& where) {
  return "SELECT count(*), coalesce(sum(" + size_sql(rule) + "), 0)::bigint FROM " + quoted_relation(rule.relation) +
         " AS t WHERE " + due_sql(rule) + where;
}

}  // namespace audiostore::lifecycle
