// The table audiostore.policies as the worker uses it: claim, keep, settle, each inside the caller's transaction. A
// claim is a lease; whoever lost it, because the policy was removed, paused or taken over, is told by the next
// keep_policy().
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "foreign/stores.hpp"
#include "lifecycle/row_rule.hpp"
#include "lifecycle/tier_rule.hpp"
#include "pg/guard.hpp"
#include "pg/statement.hpp"

namespace audiostore::lifecycle {

struct Policy {
  std::int64_t id = 0;
  std::string store;   // expiry
  std::string prefix;  // expiry
  RowRule rows;        // retention, tiering
  std::optional<TierTarget> tier;
  Oid owner = InvalidOid;
  TimePoint before{};        // what is older than this is due
  std::string resume_after;  // expiry; empty: from the beginning
  bool dry_run = false;

  bool expiry() const { return !store.empty(); }
  std::string name() const { return "policy " + std::to_string(id); }
};

// The columns of audiostore.policies that policy_from() reads, from the one given on.
inline constexpr const char* kPolicyColumns =
    "id, store, prefix, owner::oid, clock_timestamp() - after, resume_after, relation::oid,"
    " age_column::text, condition, action, assignments::text, key_column::text, storage_class, class_expression,"
    " to_store, to_prefix, dry_run";
Policy policy_from(const pg::Rows& rows, std::size_t row);

// Column with the size of the objects of a tracked table; empty when there is none.
std::string size_column_of(Oid relation);

// None when it does not exist.
std::optional<Policy> load_policy(std::int64_t id);

// Why a row could not be changed, found out between two runs.
void note_row_error(std::int64_t id, const std::string& error);

// Opens the policy's store. Throws unless its owner still owns the store and may use it.
std::shared_ptr<foreign::OpenStore> open_for(const Policy& policy);

// What is left of processes that are gone becomes due again.
void release_policies_of_the_dead();

struct ClaimedPolicy {
  Policy policy;
  std::int64_t run = 0;  // its entry in audiostore.runs
};

// Policies that are due, longest due first, but for those with these ids.
std::vector<ClaimedPolicy> claim_policies(std::span<const std::int64_t> except, std::size_t limit, Milliseconds lease);

// When the next one is due, in seconds from now; none when there is none. Policies under way count with their lease.
std::optional<double> seconds_until_due(std::span<const std::int64_t> except);

// Prolongs the lease and notes how far the run has come. False: stop, the policy is not ours to run any more.
bool keep_policy(const Policy& policy, Milliseconds lease);

// How a run ended.
struct PolicyOutcome {
  enum class Kind { done, put_off, interrupted, failed };
  Kind kind = Kind::done;
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
  std::int64_t kept = 0;
  std::string row_error;
  std::string error;
};

// Writes down the end of a run: in the policy if it is still ours, in audiostore.runs, and in the alerts.
void settle_policy(const ClaimedPolicy& claimed, const PolicyOutcome& outcome);

// The alert that a policy fails, if there is one.
void clear_policy_alert(std::int64_t id);

}  // namespace audiostore::lifecycle
