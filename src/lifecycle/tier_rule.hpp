// A tiering policy as SQL: which rows have objects that should lie elsewhere, and how a row is led over once its object
// does. The row is called t in all of them.
#pragma once

#include <string>

#include "lifecycle/row_rule.hpp"

namespace audiostore::lifecycle {

// Where a policy wants objects, as audiostore.policies has it.
struct TierTarget {
  std::string key_column;
  std::string storage_class;     // either
  std::string class_expression;  // or, over the row
  std::string to_store;          // or
  std::string to_prefix;

  bool moves() const { return storage_class.empty() && class_expression.empty(); }
};

struct TierRule {
  RowRule rows;
  TierTarget target;
  std::string store;         // either the same store for all rows
  std::string store_column;  // or this column
  std::string live_when;     // as canonical_condition() gives it
};

// With what tracking knows of the column. Throws 42704 when it is not tracked.
TierRule make_tier_rule(const RowRule& rows, const TierTarget& target);

// As find_rows_sql(), followed by key, store and class.
std::string find_objects_sql(const TierRule& rule, Oid leaf);
std::string count_objects_sql(const TierRule& rule);
std::string due_objects_sql(const TierRule& rule);
// How many rows with what is due, by store and class. $1: before when.
std::string group_objects_sql(const TierRule& rule);
// Of those of the store $2 and the class $3 ('': none): their number; their bytes, each with at least $4, and $5,
// bytes; how many are smaller than $5, and how many younger than $6 days; the bytes of these, times what is missing to
// that age. What has no size does not count but as an object.
std::string measure_objects_sql(const TierRule& rule);

// Rows that hold the objects $2 (keys) of the stores $3 and are due, $1: before when: the number of the object, the
// row's table and ctid. With `lock`, those that nobody has locked, for change.
std::string find_holders_sql(const TierRule& rule, bool lock);
// Leads the rows with the ctids $1 over to the keys $2 of the stores $3.
std::string lead_over_sql(const TierRule& rule, Oid leaf);
// Writes down that the objects of the rows with the ctids $1 have their class.
std::string note_class_sql(const TierRule& rule, Oid leaf);

}  // namespace audiostore::lifecycle
