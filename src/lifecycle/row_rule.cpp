#include "lifecycle/row_rule.hpp"

#include <nlohmann/json.hpp>

namespace audiostore::lifecycle {
namespace {

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

struct Assignment {
  std::string column;
  std::string value;  // as SQL
};

std::vector<Assignment> assignments_of(const std::string& text) {
  std::vector<Assignment> assignments;
  nlohmann::json const given = nlohmann::json::parse(text);
  for (auto const& [column, value] : given.items()) {
    std::string const sql =
        value.is_null() ? "NULL" : quoted_literal(value.is_string() ? value.get<std::string>() : value.dump());
    assignments.push_back({quoted_name(column), sql});
  }
  return assignments;
}

std::string due_sql(const RowRule& rule) {
  std::string sql = "t." + quoted_name(rule.age_column) + " < $1 AND (" + rule.condition + ")";
  if (rule.action != "set") return sql;
  std::string different;
  for (Assignment const& one : assignments_of(rule.assignments)) {
    different += (different.empty() ? "" : " OR ") + ("t." + one.column) + " IS DISTINCT FROM " + one.value;
  }
  return sql + " AND (" + different + ")";
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

// Inside pg::call.
char* canonical(Relation relation, const char* text) {
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
    ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("condition must be one expression"));
  }
  ParseState* const state = make_parsestate(nullptr);
  state->p_sourcetext = text;
  addNSItemToQuery(state, addRangeTableEntryForRelation(state, relation, AccessShareLock, nullptr, false, true), false,
                   true, true);
  Node* condition = transformExpr(state, linitial_node(ResTarget, select->targetList)->val, EXPR_KIND_WHERE);
  condition = coerce_to_boolean(state, condition, "condition");
  assign_expr_collations(state, condition);
  List* const names = deparse_context_for("t", RelationGetRelid(relation));
  int const level = NewGUCNestLevel();
  set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
  char* const written = deparse_expression(condition, names, true, false);
  AtEOXact_GUC(true, level);
  error_context_stack = context.previous;
  return written;
}

}  // namespace

std::string canonical_condition(Oid relation, std::string_view text) {
  std::string const copy(text);
  return pg::call([&]() -> const char* {
    Relation const table = table_open(relation, AccessShareLock);
    const char* const written = canonical(table, copy.c_str());
    table_close(table, NoLock);
    return written;
  });
}

void check_assignments(const std::string& assignments) {
  auto const given = nlohmann::json::parse(assignments);
  bool const usable = given.is_object() && !given.empty() &&
                      std::all_of(given.begin(), given.end(), [](auto const& value) { return value.is_primitive(); });
  if (usable) return;
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "assignments must be an object with a value for each column", {},
                     R"(For example {"state": "archived"}, or {"storage_path": null}.)");
}

std::string find_rows_sql(const RowRule& rule, Oid leaf) {
  std::string const age = "t." + quoted_name(rule.age_column);
  return "SELECT t.ctid, " + age + "::timestamptz, " + size_sql(rule) + " FROM ONLY " + quoted_relation(leaf) +
         " AS t WHERE " + due_sql(rule) + " AND " + age + " >= $2 AND (" + age + ", t.ctid) > ($2, $3) ORDER BY " +
         age + ", t.ctid LIMIT $4 FOR UPDATE SKIP LOCKED";
}

std::string change_rows_sql(const RowRule& rule, Oid leaf) {
  std::string const table = "ONLY " + quoted_relation(leaf) + " AS t";
  std::string const which = " WHERE t.ctid = ANY ($1)";
  if (rule.action == "delete") return "DELETE FROM " + table + which;
  std::string set;
  for (Assignment const& one : assignments_of(rule.assignments)) {
    set += (set.empty() ? "" : ", ") + one.column + " = " + one.value;
  }
  return "UPDATE " + table + " SET " + set + which;
}

std::string count_rows_sql(const RowRule& rule) {
  return "SELECT count(*), coalesce(sum(" + size_sql(rule) + "), 0)::bigint FROM " + quoted_relation(rule.relation) +
         " AS t WHERE " + due_sql(rule);
}

}  // namespace audiostore::lifecycle
