// The planner's side. A scan costs one request for each thousand keys that it lists, and keys come in byte order.
#include "foreign/table.hpp"
#include "pg/guard.hpp"

namespace audiostore::foreign {
namespace {

// A store that nobody has analysed: enough for a hash join, not enough for a disk sort.
constexpr double kUnknownKeys = 10000;
// In units of seq_page_cost. A request costs a round trip and the store's own work.
constexpr double kRequestCost = 100;
constexpr double kLocalRequestCost = 5;

// What the first callback finds out for the others; palloc'ed, as the planner may jump away at any time.
struct Planning {
  List* pushed;  // RestrictInfos that the store answers
  AttrNumber key;
  bool local;
};

Planning& planning(RelOptInfo* relation) { return *static_cast<Planning*>(relation->fdw_private); }

void estimate_size(PlannerInfo* root, RelOptInfo* relation, Oid table_oid) {
  Table const table = describe_table(table_oid);
  bool const local = load_config(table.store, GetUserId()).provider == "local";
  List* pushed = NIL;
  bool one_key = false;
  for (int i = 0; i < list_length(relation->baserestrictinfo); i++) {
    auto* restriction = static_cast<RestrictInfo*>(list_nth(relation->baserestrictinfo, i));
    auto const condition = key_condition(restriction->clause, relation->relid, table.key);
    if (!condition) continue;
    pg::call([&] { pushed = lappend(pushed, restriction); });
    one_key = one_key || condition->comparison == Comparison::equal;
  }
  pg::call([&] {
    auto* state = static_cast<Planning*>(palloc0(sizeof(Planning)));
    *state = {.pushed = pushed, .key = table.key, .local = local};
    relation->fdw_private = state;
    if (relation->tuples < 0) relation->tuples = kUnknownKeys;
    set_baserel_size_estimates(root, relation);
    if (one_key) relation->rows = 1;
  });
}

// The key as the planner has to find it in ORDER BY or a merge join: the column itself where its collation is C, or
// the column relabelled: ORDER BY key COLLATE "C".
List* order_of(PlannerInfo* root, RelOptInfo* relation, AttrNumber key) {
  if (key == InvalidAttrNumber) return NIL;
  Oid const table = planner_rt_fetch(relation->relid, root)->relid;
  Oid type = InvalidOid;
  int32 modifier = -1;
  Oid collation = InvalidOid;
  get_atttypetypmodcoll(table, key, &type, &modifier, &collation);
  Var* column = makeVar(static_cast<int>(relation->relid), key, type, modifier, collation, 0);
  List* order = NIL;
  if (pg::is_c_collation(collation)) {
    order = pg::expression_pathkey(root, reinterpret_cast<Expr*>(column), TextLessOperator, relation->relids);
  }
  if (order == NIL && collation != C_COLLATION_OID) {
    auto* relabelled =
        makeRelabelType(reinterpret_cast<Expr*>(column), type, modifier, C_COLLATION_OID, COERCE_IMPLICIT_CAST);
    order = pg::expression_pathkey(root, reinterpret_cast<Expr*>(relabelled), TextLessOperator, relation->relids);
  }
  return order;
}

// How many keys the query wants at most, where every key that the store returns is a row of the result.
std::size_t wanted_keys(PlannerInfo* root, RelOptInfo* relation) {
  bool const alone = bms_membership(root->all_baserels) == BMS_SINGLETON;
  bool const all_pushed = list_length(planning(relation).pushed) == list_length(relation->baserestrictinfo);
  if (!alone || !all_pushed || root->limit_tuples < 1 || root->limit_tuples > kUnknownKeys) return 0;
  return static_cast<std::size_t>(root->limit_tuples);
}

void add_paths(PlannerInfo* root, RelOptInfo* relation) {
  Planning const& state = planning(relation);
  double const listed =
      clamp_row_est(relation->tuples *
                    clauselist_selectivity(root, state.pushed, static_cast<int>(relation->relid), JOIN_INNER, nullptr));
  double const request = (state.local ? kLocalRequestCost : kRequestCost) * seq_page_cost;
  double const requests = std::max(1.0, std::ceil(listed / static_cast<double>(Listing::kPageKeys)));
  Cost const startup = request + relation->baserestrictcost.startup;
  Cost const per_key = cpu_tuple_cost + relation->baserestrictcost.per_tuple;
  pg::ForeignPathCost const cost{
      .rows = relation->rows, .startup = startup, .total = startup + (requests - 1) * request + listed * per_key};
  add_path(relation, reinterpret_cast<Path*>(
                         pg::make_foreign_path(root, relation, cost, order_of(root, relation, state.key), NIL)));
}

ForeignScan* make_plan(PlannerInfo* root, RelOptInfo* relation, List* targets, List* clauses, Plan* outer) {
  Planning const& state = planning(relation);
  ScanPlan plan;
  List* values = NIL;
  for (int i = 0; i < list_length(state.pushed); i++) {
    auto* restriction = static_cast<RestrictInfo*>(list_nth(state.pushed, i));
    auto const condition = key_condition(restriction->clause, relation->relid, state.key);
    plan.conditions.push_back(*condition);
    pg::call([&] { values = lappend(values, condition->value); });
  }
  plan.wanted = wanted_keys(root, relation);
  return pg::call([&] {
    return make_foreignscan(targets, extract_actual_clauses(clauses, false), relation->relid, values, private_of(plan),
                            NIL, NIL, outer);
  });
}

void get_rel_size(PlannerInfo* root, RelOptInfo* relation, Oid table) {
  pg::guarded([&] { estimate_size(root, relation, table); });
}

void get_paths(PlannerInfo* root, RelOptInfo* relation, Oid /*table*/) { add_paths(root, relation); }

ForeignScan* get_plan(PlannerInfo* root, RelOptInfo* relation, Oid /*table*/, ForeignPath* /*best*/, List* targets,
                      List* clauses, Plan* outer) {
  return pg::guarded([&] { return make_plan(root, relation, targets, clauses, outer); });
}

List* refuse_change(PlannerInfo* /*root*/, ModifyTable* /*plan*/, Index /*relation*/, int /*index*/) {
  pg::guarded([] {
    throw pg::SqlError(ERRCODE_FEATURE_NOT_SUPPORTED, "a foreign table that lists a store cannot be changed", {},
                       "Use audiostore.put_object() and audiostore.delete_object().");
  });
  return NIL;
}

}  // namespace

// The list is (integer list of comparisons, rows wanted); the values are fdw_exprs.
List* private_of(const ScanPlan& plan) {
  List* comparisons = NIL;
  for (auto const& condition : plan.conditions)
    comparisons = lappend_int(comparisons, static_cast<int>(condition.comparison));
  return list_make2(comparisons, makeInteger(static_cast<int>(plan.wanted)));
}

ScanPlan read_plan(const ForeignScan* plan) {
  ScanPlan read;
  auto* comparisons = static_cast<List*>(linitial(plan->fdw_private));
  for (int i = 0; i < list_length(comparisons); i++) {
    read.conditions.push_back(
        {static_cast<Comparison>(list_nth_int(comparisons, i)), static_cast<Expr*>(list_nth(plan->fdw_exprs, i))});
  }
  read.wanted = static_cast<std::size_t>(intVal(lsecond(plan->fdw_private)));
  return read;
}

void add_planning(FdwRoutine* routine) {
  routine->GetForeignRelSize = get_rel_size;
  routine->GetForeignPaths = get_paths;
  routine->GetForeignPlan = get_plan;
  routine->PlanForeignModify = refuse_change;
}

}  // namespace audiostore::foreign
