// A retention policy as SQL. What would surprise you: statements name a table's partitions one by one, with ONLY, as
// rows are found again by their place (ctid), which is unique within one of them. The row is called t in all of them.
#pragma once

#include <string>
#include <string_view>

#include "pg/guard.hpp"

namespace audiostore::lifecycle {

struct RowRule {
  Oid relation = InvalidOid;
  std::string age_column;   // empty: age does not count
  std::string condition;    // as canonical_condition() gives it
  std::string action;       // delete, set, move
  std::string assignments;  // set, move: a JSON object
  std::string size_column;  // where one is tracked with the table
};

// One boolean expression over a row of the relation, as PostgreSQL writes it with every name qualified. Throws what
// PostgreSQL says about it.
std::string canonical_condition(Oid relation, std::string_view text);
// The same for an expression that gives a text.
std::string canonical_text_expression(Oid relation, std::string_view text);

// Throws 22023 unless it is an object with a plain value for each column.
void check_assignments(const std::string& assignments);

std::string quoted_name(std::string_view name);
std::string quoted_literal(const std::string& text);
std::string quoted_relation(Oid relation);

// "column = value, ..."; a value "now" for a column with a time is the time of the change.
std::string assignments_sql(const RowRule& rule);
// Whether a row t has other values than those. A time that is set to "now" is other while it is NULL.
std::string different_sql(const RowRule& rule);
// The row t is old enough, $1: before when, and the condition holds.
std::string due_sql(const RowRule& rule);

// What is due and comes after a place, in the order of age: ctid, age, size, and further columns of t. $1: before when,
// $2 and $3: age and ctid of the last row seen, $4: how many.
struct FindRows {
  std::string columns;  // ", t.a, t.b"
  std::string where;    // " AND ..."
  std::string locking;
};
std::string find_rows_sql(const RowRule& rule, Oid leaf, const FindRows& find);
// Of what is due and comes after a place, in the order of age. $1 to $3 as in find_rows_sql(); whether the place is
// within the rows of one age, or before all of them.
enum class WithinAge { no, yes };
// The age of the one that $4 come before.
std::string find_edge_sql(const RowRule& rule, Oid leaf, WithinAge within_age);
// Deletes those that are older than $4. Returns their sizes where there is a column with it.
std::string delete_range_sql(const RowRule& rule, Oid leaf, WithinAge within_age);
// Deletes or changes the rows with the ctids $1.
std::string change_rows_sql(const RowRule& rule, Oid leaf);
// The rows that are due, for the planner. $1: before when.
std::string due_rows_sql(const RowRule& rule, const std::string& where = {});
// How many rows are due, and their bytes. $1: before when.
std::string count_rows_sql(const RowRule& rule, const std::string& where);

}  // namespace audiostore::lifecycle
