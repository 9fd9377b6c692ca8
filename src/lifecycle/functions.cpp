// What users do with policies. They act as the owner of the extension's tables once the caller's rights are checked, as
// nobody else may write the table.
#include "lifecycle/expired.hpp"
#include "lifecycle/expiry.hpp"
#include "lifecycle/intervals.hpp"
#include "lifecycle/policy.hpp"
#include "lifecycle/retention.hpp"
#include "lifecycle/tier_warnings.hpp"
#include "lifecycle/tiering.hpp"
#include "outbox/enqueue.hpp"
#include "pg/arguments.hpp"
#include "pg/identity.hpp"
#include "pg/memory_scope.hpp"
#include "pg/result_set.hpp"
#include "pg/statement.hpp"

namespace audiostore::lifecycle {
namespace {

void check_server_owner(const foreign::StoreHandle& store, Oid role) {
  if (pg::call([&] { return has_privs_of_role(role, store.owner); })) return;
  throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE, "must be owner of foreign server " + store.name,
                     "A policy deletes objects that no row speaks for.");
}

Datum add_expiry_policy(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  Oid const caller = GetUserId();
  foreign::StoreHandle const store = foreign::find_store_or_default(arguments.name_or_empty(0));
  std::string_view const prefix = arguments.text(1, "prefix");
  Datum const after = checked_after(arguments.datum(2, "after"));
  Datum const schedule = checked_schedule(arguments.datum(3, "schedule"));
  check_server_owner(store, caller);
  foreign::check_usage(store, caller);
  foreign::claim_if_unclaimed(store);
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement insert(
      "INSERT INTO audiostore.policies (kind, store, prefix, after, schedule, owner)"
      " VALUES ('expiry', $1, $2, $3, $4, $5::regrole)"
      " ON CONFLICT (store, prefix) WHERE kind = 'expiry' DO NOTHING RETURNING id",
      {TEXTOID, TEXTOID, INTERVALOID, INTERVALOID, OIDOID});
  if (insert.execute(
          {pg::text_argument(store.name), pg::text_argument(prefix), after, schedule, ObjectIdGetDatum(caller)}) == 0) {
    throw pg::SqlError(
        ERRCODE_DUPLICATE_OBJECT,
        "store \"" + store.name + "\" has an expiry policy for the prefix \"" + std::string(prefix) + "\" already", {},
        "Change it with audiostore.alter_policy().");
  }
  std::int64_t const id = insert.rows().bigint(0, 1);
  outbox::wake_at_commit();
  return Int64GetDatum(id);
}

enum class Locking { no, yes };

// None when it does not exist. Throws unless the caller has the rights of its owner.
std::optional<Policy> find_policy(std::int64_t id, Oid caller, Locking locking) {
  static std::string const sql = std::string("SELECT ") + kPolicyColumns + " FROM audiostore.policies WHERE id = $1";
  static std::string const locking_sql = sql + " FOR NO KEY UPDATE";
  static pg::Statement find(sql.c_str(), {INT8OID});
  static pg::Statement lock(locking_sql.c_str(), {INT8OID});
  pg::AsExtensionOwner const owner;
  pg::Statement& statement = locking == Locking::yes ? lock : find;
  if (statement.execute({Int64GetDatum(id)}) == 0) return std::nullopt;
  Policy policy = policy_from(statement.rows(), 0);
  policy.rows.size_column = size_column_of(policy.rows.relation);
  if (pg::call([&] { return has_privs_of_role(caller, policy.owner); })) return policy;
  throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE, "must be owner of policy " + std::to_string(id));
}

Policy need_policy(std::int64_t id, Oid caller, Locking locking) {
  std::optional<Policy> policy = find_policy(id, caller, locking);
  if (policy) return *std::move(policy);
  throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "policy " + std::to_string(id) + " does not exist", {},
                     "SELECT * FROM audiostore.policy_status lists policies.");
}

pg::Argument optional(const pg::Arguments& arguments, int index, Datum (*check)(Datum)) {
  return arguments.null(index) ? pg::Argument() : pg::Argument(check(arguments.datum(index, "")));
}

Datum alter_policy(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  std::int64_t const id = arguments.bigint(0, "id");
  pg::Argument const after = optional(arguments, 1, checked_after);
  pg::Argument const schedule = optional(arguments, 2, checked_schedule);
  auto const as_it_is = [](Datum value) { return value; };
  pg::Argument const enabled = optional(arguments, 3, as_it_is);
  pg::Argument const dry_run = optional(arguments, 4, as_it_is);
  Oid const caller = GetUserId();
  pg::Spi const spi;
  Policy const policy = need_policy(id, caller, Locking::yes);
  if (!after.null && !policy.expiry() && policy.rows.age_column.empty()) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "age does not count for policy " + std::to_string(id));
  }
  pg::AsExtensionOwner const owner;
  // A run under way goes by what was: it is told to stop at its next page, and another begins.
  static pg::Statement alter(
      "UPDATE audiostore.policies SET after = coalesce($2, after), schedule = coalesce($3, schedule),"
      " enabled = coalesce($4, enabled), dry_run = coalesce($5, dry_run), next_run_at = clock_timestamp(), "
      "resume_after = NULL, failures = 0,"
      " leased_until = NULL, claimed_by = NULL WHERE id = $1",
      {INT8OID, INTERVALOID, INTERVALOID, BOOLOID, BOOLOID});
  alter.execute({Int64GetDatum(id), after, schedule, enabled, dry_run});
  outbox::wake_at_commit();
  return Datum{0};
}

Datum remove_policy(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  std::int64_t const id = arguments.bigint(0, "id");
  bool const if_exists = !arguments.null(1) && DatumGetBool(arguments.datum(1, "if_exists"));
  Oid const caller = GetUserId();
  pg::Spi const spi;
  if (if_exists) {
    if (!find_policy(id, caller, Locking::yes)) return BoolGetDatum(false);
  } else {
    need_policy(id, caller, Locking::yes);
  }
  pg::AsExtensionOwner const owner;
  static pg::Statement remove("DELETE FROM audiostore.policies WHERE id = $1", {INT8OID});
  remove.execute({Int64GetDatum(id)});
  clear_policy_alert(id);
  return BoolGetDatum(true);
}

Datum run_policy(FunctionCallInfo info) {
  std::int64_t const id = pg::Arguments(info).bigint(0, "id");
  Oid const caller = GetUserId();
  pg::Spi const spi;
  need_policy(id, caller, Locking::yes);
  pg::AsExtensionOwner const owner;
  static pg::Statement due("UPDATE audiostore.policies SET next_run_at = clock_timestamp() WHERE id = $1 AND enabled",
                           {INT8OID});
  if (due.execute({Int64GetDatum(id)}) == 0) {
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "policy " + std::to_string(id) + " is disabled", {},
                       "Enable it with audiostore.alter_policy(" + std::to_string(id) + ", enabled => true).");
  }
  outbox::wake_at_commit();
  return Datum{0};
}

RowCounts preview_expiry(const Policy& policy) {
  auto const open = open_for(policy);
  pg::AsExtensionOwner const owner;
  RowCounts counts;
  store::ListPage page;
  do {
    pg::check_interrupts();
    page = foreign::run(open->store->list({.prefix = policy.prefix, .after = page.resume}));
    pg::MemoryScope const memory("audiostore preview");
    auto const removable = removable_of(policy.store, expired_of(page, {policy.prefix, policy.before}));
    counts.rows += static_cast<std::int64_t>(removable.size());
    counts.bytes += bytes_of(removable);
  } while (page.more);
  return counts;
}

// Audit policies are the audits' (audit/), and only lie in the same table.
void refuse_audit(const Policy& policy) {
  static pg::Statement find("SELECT FROM audiostore.policies WHERE id = $1 AND kind = 'audit'", {INT8OID});
  pg::AsExtensionOwner const owner;
  if (find.execute({Int64GetDatum(policy.id)}) == 0) return;
  throw pg::SqlError(ERRCODE_FEATURE_NOT_SUPPORTED, policy.name() + " is an audit: it touches nothing", {},
                     "SELECT * FROM audiostore.audit_store('" + policy.store + "', ...) shows what it would find.");
}

RowCounts preview(const Policy& policy, std::vector<std::string>& warnings) {
  if (policy.expiry()) return preview_expiry(policy);
  if (!policy.tier) return Retention(policy.rows, policy.owner, policy.before).count();
  TierRule const rule = make_tier_rule(policy.rows, *policy.tier);
  RowCounts counts = Tiering(rule, {.policy = policy.id, .owner = policy.owner, .before = policy.before}).count();
  warnings = tier_warnings(rule, policy.owner, pg::to_timestamptz(policy.before));
  return counts;
}

NullableDatum texts_or_null(const std::vector<std::string>& texts) {
  if (texts.empty()) return {Datum{0}, true};
  return {pg::text_array(texts).value, false};
}

Datum preview_policy(FunctionCallInfo info) {
  std::int64_t const id = pg::Arguments(info).bigint(0, "id");
  Oid const caller = GetUserId();
  RowCounts counts;
  std::vector<std::string> warnings;
  {
    pg::Spi const spi;
    Policy const policy = need_policy(id, caller, Locking::no);
    refuse_audit(policy);
    counts = preview(policy, warnings);
  }
  return pg::composite(
      info, {{Int64GetDatum(counts.rows), false}, {Int64GetDatum(counts.bytes), false}, texts_or_null(warnings)});
}

}  // namespace
}  // namespace audiostore::lifecycle

AUDIOSTORE_FUNCTION(add_expiry_policy, audiostore::lifecycle::add_expiry_policy)
AUDIOSTORE_FUNCTION(alter_policy, audiostore::lifecycle::alter_policy)
AUDIOSTORE_FUNCTION(remove_policy, audiostore::lifecycle::remove_policy)
AUDIOSTORE_FUNCTION(run_policy, audiostore::lifecycle::run_policy)
AUDIOSTORE_FUNCTION(preview_policy, audiostore::lifecycle::preview_policy)
