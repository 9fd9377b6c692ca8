// A foreign table that lists a store: its definition, and the callbacks of the foreign-data wrapper that plan and scan
// it. The planner finds out which conditions on the key the store can answer (conditions.cpp); all conditions are
// checked again here, so a store that returns too much does no harm.
#pragma once

#include <string>
#include <vector>

#include "foreign/catalog.hpp"
#include "foreign/key_range.hpp"
#include "foreign/listing.hpp"

namespace audiostore::foreign {

struct Table {
  StoreHandle store;
  std::string prefix;
  std::vector<std::optional<Field>> columns;  // by attribute number - 1; none where a column was dropped
  AttrNumber key = InvalidAttrNumber;         // the attribute that holds the key, if any does
};

// Throws SqlError HV007 or HV004 when a column has a name or a type that a listing does not have.
Table describe_table(Oid relation);

// A condition that the store can answer: key <comparison> value, where the value is known before the scan begins.
struct KeyCondition {
  Comparison comparison;
  Expr* value;
};
std::optional<KeyCondition> key_condition(const Expr* clause, Index relation, AttrNumber key);

// What the planner tells the executor; it travels as fdw_exprs and fdw_private of the plan.
struct ScanPlan {
  std::vector<KeyCondition> conditions;
  std::size_t wanted = 0;  // rows, where no more are needed; 0: all
};
ScanPlan read_plan(const ForeignScan* plan);
List* private_of(const ScanPlan& plan);  // in the current memory context

void add_planning(FdwRoutine* routine);
void add_scanning(FdwRoutine* routine);
void add_importing(FdwRoutine* routine);
void add_analyzing(FdwRoutine* routine);

}  // namespace audiostore::foreign
