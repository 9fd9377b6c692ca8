// What a user may ask of a policy on rows, whichever its kind, and the row of audiostore.policies that comes of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lifecycle/row_rule.hpp"
#include "lifecycle/tier_rule.hpp"
#include "pg/arguments.hpp"
#include "pg/statement.hpp"

namespace audiostore::lifecycle {

// Throws unless rows of this table may come and go by a policy of the caller.
void check_table(Oid relation, Oid caller);

// Arguments 1 and 2 of the functions that add policies on rows: after and age_column, both or neither.
std::string read_age_column(const pg::Arguments& arguments, Oid relation);
pg::Argument read_after(const pg::Arguments& arguments, const RowRule& rule);

std::string jsonb_text(Datum jsonb);

// A NOTICE where the policy has to read the whole table.
void advise_index(const RowRule& rule);

struct NewPolicy {
  std::string_view kind;
  const RowRule& rows;
  std::optional<TierTarget> tier;
  pg::Argument after;
  Datum schedule;
  Oid owner;
  std::optional<std::string_view> name;
};
std::int64_t insert_policy(const NewPolicy& policy);

}  // namespace audiostore::lifecycle
