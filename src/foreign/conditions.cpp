// Which conditions of a query a store can answer. Ordering comparisons only under a collation that orders by bytes, as
// stores do; equality and prefixes under any deterministic one, where equal means equal bytes.
#include "foreign/table.hpp"
#include "pg/guard.hpp"

namespace audiostore::foreign {
namespace {

struct KnownOperator {
  Oid function;
  Comparison comparison;
  Comparison commuted;  // when the key is on the right side
  enum class Needs { deterministic, byte_order, nothing } needs;
};
using Needs = KnownOperator::Needs;
constexpr KnownOperator kOperators[] = {{F_TEXTEQ, Comparison::equal, Comparison::equal, Needs::deterministic},
                                        {F_TEXT_GE, Comparison::at_least, Comparison::at_most, Needs::byte_order},
                                        {F_TEXT_GT, Comparison::above, Comparison::below, Needs::byte_order},
                                        {F_TEXT_LE, Comparison::at_most, Comparison::at_least, Needs::byte_order},
                                        {F_TEXT_LT, Comparison::below, Comparison::above, Needs::byte_order},
                                        {F_TEXT_PATTERN_GE, Comparison::at_least, Comparison::at_most, Needs::nothing},
                                        {F_TEXT_PATTERN_GT, Comparison::above, Comparison::below, Needs::nothing},
                                        {F_TEXT_PATTERN_LE, Comparison::at_most, Comparison::at_least, Needs::nothing},
                                        {F_TEXT_PATTERN_LT, Comparison::below, Comparison::above, Needs::nothing}};
// These take the key on the left side only.
constexpr KnownOperator kPatterns[] = {{F_TEXTLIKE, Comparison::like, Comparison::like, Needs::deterministic},
                                       {F_STARTS_WITH, Comparison::prefix, Comparison::prefix, Needs::deterministic}};

bool satisfied(Needs needs, Oid collation) {
  switch (needs) {
    case Needs::nothing: return true;
    case Needs::byte_order: return pg::is_c_collation(collation);
    case Needs::deterministic: return !OidIsValid(collation) || get_collation_isdeterministic(collation);
  }
  return false;
}

// Sides of a comparison of two values; not for anything else.
struct Sides {
  Oid function = InvalidOid;
  Oid collation = InvalidOid;
  Expr* left = nullptr;
  Expr* right = nullptr;
};

Sides sides_of(const Expr* clause) {
  List* arguments = NIL;
  Sides sides;
  if (IsA(clause, OpExpr)) {
    auto const* operation = reinterpret_cast<const OpExpr*>(clause);
    sides.function = get_opcode(operation->opno);
    sides.collation = operation->inputcollid;
    arguments = operation->args;
  } else if (IsA(clause, FuncExpr)) {
    auto const* function = reinterpret_cast<const FuncExpr*>(clause);
    sides.function = function->funcid;
    sides.collation = function->inputcollid;
    arguments = function->args;
  }
  if (list_length(arguments) != 2) return {};
  sides.left = static_cast<Expr*>(linitial(arguments));
  sides.right = static_cast<Expr*>(lsecond(arguments));
  return sides;
}

bool is_key(const Expr* expression, Index relation, AttrNumber key) {
  while (IsA(expression, RelabelType)) expression = reinterpret_cast<const RelabelType*>(expression)->arg;
  if (!IsA(expression, Var)) return false;
  auto const* column = reinterpret_cast<const Var*>(expression);
  return column->varno == static_cast<int>(relation) && column->varattno == key && column->varlevelsup == 0;
}

bool known_before_scan(Expr* expression) {
  auto* node = reinterpret_cast<Node*>(expression);
  return exprType(node) == TEXTOID && !contain_var_clause(node) && !contain_volatile_functions(node) &&
         !contain_subplans(node);
}

struct Recognised {
  bool any;
  Comparison comparison;
  Expr* value;
};

Recognised recognise(const Expr* clause, Index relation, AttrNumber key) {
  Sides const sides = sides_of(clause);
  if (sides.left == nullptr) return {};
  bool const key_left = is_key(sides.left, relation, key);
  if (!key_left && !is_key(sides.right, relation, key)) return {};
  Expr* const value = key_left ? sides.right : sides.left;
  for (auto const& known : kOperators) {
    if (known.function != sides.function) continue;
    if (!satisfied(known.needs, sides.collation) || !known_before_scan(value)) return {};
    return {true, key_left ? known.comparison : known.commuted, value};
  }
  for (auto const& known : kPatterns) {
    if (known.function != sides.function || !key_left) continue;
    if (!satisfied(known.needs, sides.collation) || !known_before_scan(value)) return {};
    return {true, known.comparison, value};
  }
  return {};
}

}  // namespace

std::optional<KeyCondition> key_condition(const Expr* clause, Index relation, AttrNumber key) {
  if (key == InvalidAttrNumber) return std::nullopt;
  Recognised const found = pg::call([&] { return recognise(clause, relation, key); });
  return found.any ? std::optional(KeyCondition{found.comparison, found.value}) : std::nullopt;
}

}  // namespace audiostore::foreign
