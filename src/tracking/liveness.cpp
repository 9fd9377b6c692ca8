// From text to an expression that can be evaluated row by row, and back.
#include "tracking/liveness.hpp"

#include "pg/guard.hpp"
#include "pg/subtransaction.hpp"
#include "tracking/column.hpp"
#include "tracking/rights.hpp"

namespace audiostore::tracking {
namespace {

// Positions in a syntax error count in live_when, not in the statement that the user sent.
void explain_error(void* text) {
  int const position = geterrposition();
  if (position > 0) {
    errposition(0);
    internalerrposition(position);
    internalerrquery(static_cast<const char*>(text));
  }
  errcontext("live_when of a tracked column");
}

struct Parsed {
  Node* expression = nullptr;
  const char* refused = nullptr;  // what it holds that it must not
};

// Inside pg::call.
Parsed parse(Relation relation, const char* text) {
  ErrorContextCallback context = {
      .previous = error_context_stack, .callback = explain_error, .arg = const_cast<char*>(text)};
  error_context_stack = &context;
  List* raw = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
  auto* select = castNode(SelectStmt, linitial_node(RawStmt, raw)->stmt);
  bool const plain = list_length(select->targetList) == 1 &&
                     linitial_node(ResTarget, select->targetList)->name == nullptr && select->distinctClause == NIL &&
                     select->fromClause == NIL && select->whereClause == nullptr && select->groupClause == NIL &&
                     select->havingClause == nullptr && select->windowClause == NIL && select->sortClause == NIL &&
                     select->limitOffset == nullptr && select->limitCount == nullptr && select->lockingClause == NIL &&
                     select->op == SETOP_NONE;
  if (!plain) {
    error_context_stack = context.previous;
    return {.expression = nullptr, .refused = "more than one expression"};
  }
  ParseState* state = make_parsestate(nullptr);
  state->p_sourcetext = text;
  addNSItemToQuery(state, addRangeTableEntryForRelation(state, relation, AccessShareLock, nullptr, false, true), false,
                   true, true);
  Node* expression = transformExpr(state, linitial_node(ResTarget, select->targetList)->val, EXPR_KIND_OTHER);
  expression = coerce_to_boolean(state, expression, "live_when");
  assign_expr_collations(state, expression);
  Parsed parsed{.expression = expression};
  if (state->p_hasSubLinks)
    parsed.refused = "a subquery";
  else if (state->p_hasAggs)
    parsed.refused = "an aggregate function";
  else if (state->p_hasWindowFuncs)
    parsed.refused = "a window function";
  else if (state->p_hasTargetSRFs || expression_returns_set(expression))
    parsed.refused = "a set-returning function";
  error_context_stack = context.previous;
  free_parsestate(state);
  return parsed;
}

bool from_outside(Oid function, void*) { return function >= FirstNormalObjectId; }

// Whether anything runs that somebody may have written for this database.
bool runs_foreign_code(Node* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, CoerceToDomain) || IsA(node, MinMaxExpr)) return true;
  if (check_functions_in_node(node, from_outside, context)) return true;
  return pg::walk_expression(node, runs_foreign_code, context);
}

[[noreturn]] void refuse(const std::string& text, const std::string& what, const std::string& hint) {
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "cannot use " + what + " in live_when", "live_when is: " + text,
                     hint);
}

Parsed parse_or_refuse(Relation relation, const std::string& text) {
  Parsed const parsed = pg::call([&] { return parse(relation, text.c_str()); });
  if (parsed.refused != nullptr) {
    refuse(text, parsed.refused, "live_when is one boolean expression over the columns of one row.");
  }
  return parsed;
}

std::shared_ptr<MemoryContextData> make_memory() {
  MemoryContext const made =
      pg::call([] { return AllocSetContextCreate(CacheMemoryContext, "audiostore live_when", ALLOCSET_SMALL_SIZES); });
  return {made, [](MemoryContext memory) { MemoryContextDelete(memory); }};
}

// Columns of the row that the expression reads; system columns and the whole row cannot be had from a transition
// table, nor virtual generated columns.
std::vector<AttrNumber> columns_read(Relation relation, Node* expression, const std::string& text) {
  Bitmapset* const attributes = pg::call([&] {
    Bitmapset* found = nullptr;
    pull_varattnos(expression, 1, &found);
    return found;
  });
  std::vector<AttrNumber> columns;
  int member = -1;
  while ((member = bms_next_member(attributes, member)) >= 0) {
    int const column = member + FirstLowInvalidHeapAttributeNumber;
    if (column <= 0) {
      refuse(text, column == 0 ? "the whole row" : "a system column", "Name the columns that decide.");
    }
    if (TupleDescAttr(RelationGetDescr(relation), column - 1)->attgenerated == 'v') {
      refuse(text, "a virtual generated column", "Use a stored generated column, or the columns it is made of.");
    }
    columns.push_back(static_cast<AttrNumber>(column));
  }
  return columns;
}

Liveness plan(Relation relation, const std::string& text, const Parsed& parsed) {
  Liveness liveness;
  liveness.memory = make_memory();
  liveness.columns = columns_read(relation, parsed.expression, text);
  bool mutable_functions = false;
  pg::call([&] {
    MemoryContext const outer = MemoryContextSwitchTo(liveness.memory.get());
    liveness.parsed = static_cast<Node*>(copyObjectImpl(parsed.expression));
    liveness.expression = expression_planner(static_cast<Expr*>(copyObjectImpl(parsed.expression)));
    MemoryContextSwitchTo(outer);
    mutable_functions = contain_mutable_functions(reinterpret_cast<Node*>(liveness.expression));
    liveness.trusted = !runs_foreign_code(reinterpret_cast<Node*>(liveness.expression), nullptr);
  });
  if (mutable_functions) {
    refuse(text, "functions that are not immutable",
           "Whether a row is live may depend on the row alone: not on time, settings or other tables.");
  }
  if (IsA(liveness.expression, Const)) {
    auto const* constant = reinterpret_cast<const Const*>(liveness.expression);
    if (!constant->constisnull && DatumGetBool(constant->constvalue)) liveness.expression = nullptr;
  }
  return liveness;
}

}  // namespace

Liveness compile_liveness(Relation relation, const std::string& text) {
  if (text == "true") return {};
  PinnedSearchPath const path;
  return plan(relation, text, parse_or_refuse(relation, text));
}

std::string liveness_text(Oid relation, Node* parsed) {
  PinnedSearchPath const path;
  return pg::call([&] {
    List* context = deparse_context_for(get_rel_name(relation), relation);
    return deparse_expression(parsed, context, false, false);
  });
}

std::string canonical_liveness(Relation relation, const std::string& text) {
  if (text == "true") return text;
  Parsed const meant = parse_or_refuse(relation, text);
  plan(relation, text, meant);
  bool same = false;
  pg::attempt([&] {
    PinnedSearchPath const path;
    Parsed const found = parse_or_refuse(relation, text);
    same = pg::call([&] { return equal(meant.expression, found.expression); });
  });
  return same ? text : liveness_text(RelationGetRelid(relation), meant.expression);
}

}  // namespace audiostore::tracking
