// How many rows a policy would touch now, as the planner estimates it: cheap enough for a view that people watch. The
// exact number is preview_policy()'s.
#include <array>

#include <nlohmann/json.hpp>

#include "lifecycle/policy.hpp"
#include "lifecycle/row_statements.hpp"
#include "pg/arguments.hpp"
#include "pg/identity.hpp"
#include "pg/statement.hpp"
#include "pg/subtransaction.hpp"
#include "pg/time.hpp"
#include "tracking/rights.hpp"

namespace audiostore::lifecycle {
namespace {

std::optional<std::int64_t> estimate(const Policy& policy) {
  std::string const sql =
      policy.tier ? due_objects_sql(make_tier_rule(policy.rows, *policy.tier)) : due_rows_sql(policy.rows);
  tracking::OwnersRights const rights(policy.owner);
  limit_waits();
  constexpr std::array<Oid, 1> kTypes{TIMESTAMPTZOID};
  std::array<Datum, 1> const values{TimestampTzGetDatum(pg::to_timestamptz(policy.before))};
  execute("EXPLAIN (FORMAT JSON) " + sql, kTypes, values);
  auto const plan = nlohmann::json::parse(pg::Rows().text(0, 1), nullptr, false);
  if (!plan.is_array() || plan.empty()) return std::nullopt;
  return static_cast<std::int64_t>(plan[0].value("Plan", nlohmann::json::object()).value("Plan Rows", 0.0));
}

bool may_see(const Policy& policy, Oid caller) {
  return pg::call([&] {
    return has_privs_of_role(caller, policy.owner) || has_privs_of_role(caller, get_role_oid("pg_monitor", false));
  });
}

Datum policy_rows_waiting(FunctionCallInfo info) {
  std::int64_t const id = pg::Arguments(info).bigint(0, "id");
  Oid const caller = GetUserId();
  std::optional<std::int64_t> rows;
  {
    pg::Spi const spi;
    pg::AsExtensionOwner const owner;
    std::optional<Policy> const policy = load_policy(id);
    if (policy && !policy->expiry() && may_see(*policy, caller)) {
      // A table that is gone, or locked, is no reason to show nothing of all the other policies.
      auto const failure = pg::attempt([&] { rows = estimate(*policy); });
      if (failure) rows.reset();
    }
  }
  if (rows) return Int64GetDatum(*rows);
  info->isnull = true;
  return Datum{0};
}

}  // namespace
}  // namespace audiostore::lifecycle

AUDIOSTORE_FUNCTION(policy_rows_waiting, audiostore::lifecycle::policy_rows_waiting)
