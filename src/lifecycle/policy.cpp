#include "lifecycle/policy.hpp"

#include "foreign/catalog.hpp"
#include "monitor/alerts.hpp"
#include "pg/statement.hpp"
#include "pg/time.hpp"

namespace audiostore::lifecycle {
namespace {

pg::Argument seconds(Milliseconds time) {
  double const value = std::chrono::duration<double>(time).count();
  return pg::call([&] { return Float8GetDatum(value); });
}

pg::Argument text_or_null(const std::string& text) { return text.empty() ? pg::Argument() : pg::text_argument(text); }

std::int64_t begin_run(const Policy& policy) {
  static pg::Statement begin(
      "INSERT INTO audiostore.runs (task, started_at, pid)"
      " SELECT format('policies: %s %s of %s', kind, id, coalesce('store ' || store, 'relation ' || relation)), "
      "last_run_at, claimed_by"
      " FROM audiostore.policies WHERE id = $1 RETURNING id",
      {INT8OID});
  begin.execute({Int64GetDatum(policy.id)});
  return begin.rows().bigint(0, 1);
}

void end_run(std::int64_t run, const PolicyOutcome& outcome) {
  static pg::Statement end(
      "UPDATE audiostore.runs SET finished_at = clock_timestamp(), rows = $2, bytes = $3, error = $4 WHERE id = $1",
      {INT8OID, INT8OID, INT8OID, TEXTOID});
  end.execute(
      {Int64GetDatum(run), Int64GetDatum(outcome.rows), Int64GetDatum(outcome.bytes), text_or_null(outcome.error)});
}

// When it is due again: after a failure not before a pause that doubles up to ten minutes; one that was put off has
// more to do at once; one that was interrupted was not at fault.
constexpr const char* kSettle =
    "UPDATE audiostore.policies SET leased_until = NULL, claimed_by = NULL, last_finished_at = clock_timestamp(),"
    " last_rows = $3, last_bytes = $4, last_kept = $5, last_error = $6, last_row_error = $7,"
    " next_run_at = CASE $2"
    "  WHEN 'done' THEN greatest(last_run_at + schedule, clock_timestamp())"
    "  WHEN 'failed' THEN clock_timestamp()"
    "   + greatest(schedule, least(interval '10 minutes', interval '10 seconds' * power(2, least(failures, 10))))"
    "  ELSE clock_timestamp() END,"
    " failures = CASE $2 WHEN 'failed' THEN failures + 1 ELSE 0 END,"
    // A run that fails begins anew, so that what comes before the place where it fails is looked after.
    " resume_after = CASE WHEN $2 IN ('done', 'failed') THEN NULL ELSE resume_after END"
    " WHERE id = $1 AND claimed_by = pg_backend_pid()";

const char* kind_name(PolicyOutcome::Kind kind) {
  switch (kind) {
    case PolicyOutcome::Kind::done: return "done";
    case PolicyOutcome::Kind::put_off: return "put off";
    case PolicyOutcome::Kind::interrupted: return "interrupted";
    case PolicyOutcome::Kind::failed: return "failed";
  }
  return "failed";
}

}  // namespace

Policy policy_from(const pg::Rows& rows, std::size_t row) {
  auto const oid = [&](int column) {
    return rows.null(row, column) ? InvalidOid : DatumGetObjectId(rows.datum(row, column).value);
  };
  return {.id = rows.bigint(row, 1),
          .store = rows.text(row, 2),
          .prefix = rows.text(row, 3),
          .rows = {.relation = oid(7),
                   .age_column = rows.text(row, 8),
                   .condition = rows.text(row, 9),
                   .action = rows.text(row, 10),
                   .assignments = rows.text(row, 11),
                   .size_column = {}},
          .owner = oid(4),
          .before = pg::to_time_point(rows.timestamp(row, 5)),
          .resume_after = rows.text(row, 6)};
}

std::string size_column_of(Oid relation) {
  if (!OidIsValid(relation)) return {};
  static pg::Statement find(
      "SELECT size_column::text FROM audiostore.tracked_columns WHERE relation = $1 AND size_column IS NOT NULL"
      " ORDER BY key_column LIMIT 1",
      {OIDOID});
  return find.execute({ObjectIdGetDatum(relation)}) > 0 ? find.rows().text(0, 1) : std::string();
}

std::shared_ptr<foreign::OpenStore> open_for(const Policy& policy) {
  foreign::StoreHandle const handle = foreign::find_store(policy.store);
  if (!pg::call([&] { return has_privs_of_role(policy.owner, handle.owner); })) {
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                       "the owner of " + policy.name() + " must be owner of foreign server " + handle.name);
  }
  foreign::check_usage(handle, policy.owner);
  if (!foreign::claimed_here(handle)) {
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "store \"" + handle.name + "\" is looked after by another database",
                       "This database was restored or cloned from it.",
                       "If this database takes over, run SELECT audiostore.claim_store('" + handle.name + "').");
  }
  return foreign::open_store(handle, handle.owner);
}

void release_policies_of_the_dead() {
  static pg::Statement claimants("SELECT id, claimed_by FROM audiostore.policies WHERE claimed_by IS NOT NULL", {});
  claimants.execute({});
  pg::Rows const rows = claimants.rows();
  std::vector<std::int64_t> lost;
  for (std::size_t i = 0; i < rows.size(); i++) {
    int const pid = rows.integer(i, 2);
    if (pid == MyProcPid || pg::call([pid] { return BackendPidGetProc(pid) == nullptr; })) {
      lost.push_back(rows.bigint(i, 1));
    }
  }
  if (lost.empty()) return;
  static pg::Statement release(
      "UPDATE audiostore.policies SET leased_until = NULL, claimed_by = NULL WHERE id = ANY($1)", {INT8ARRAYOID});
  release.execute({pg::bigint_array(lost)});
}

std::vector<ClaimedPolicy> claim_policies(std::span<const std::int64_t> except, std::size_t limit, Milliseconds lease) {
  static pg::Statement claim(
      "WITH due AS (SELECT id FROM audiostore.policies"
      "  WHERE enabled AND next_run_at <= clock_timestamp() AND id <> ALL ($1) AND kind <> 'audit'"
      "   AND (leased_until IS NULL OR leased_until < clock_timestamp())"
      "  ORDER BY next_run_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)"
      " UPDATE audiostore.policies p SET claimed_by = pg_backend_pid(), last_run_at = clock_timestamp(),"
      "  leased_until = clock_timestamp() + make_interval(secs => $3)"
      " FROM due WHERE p.id = due.id"
      " RETURNING p.id, p.store, p.prefix, p.owner::oid, clock_timestamp() - p.after, p.resume_after, p.relation::oid,"
      " p.age_column::text, p.condition, p.action, p.assignments::text",
      {INT8ARRAYOID, INT8OID, FLOAT8OID});
  claim.execute({pg::bigint_array(except), Int64GetDatum(static_cast<std::int64_t>(limit)), seconds(lease)});
  std::vector<ClaimedPolicy> claimed(claim.rows().size());
  for (std::size_t i = 0; i < claimed.size(); i++) claimed[i].policy = policy_from(claim.rows(), i);
  for (ClaimedPolicy& one : claimed) one.policy.rows.size_column = size_column_of(one.policy.rows.relation);
  for (ClaimedPolicy& one : claimed) one.run = begin_run(one.policy);
  return claimed;
}

std::optional<double> seconds_until_due(std::span<const std::int64_t> except) {
  static pg::Statement next(
      "SELECT EXTRACT(epoch FROM min(greatest(next_run_at, leased_until)) - clock_timestamp())::float8"
      " FROM audiostore.policies WHERE enabled AND id <> ALL ($1) AND kind <> 'audit'",
      {INT8ARRAYOID});
  next.execute({pg::bigint_array(except)});
  if (next.rows().null(0, 1)) return std::nullopt;
  return DatumGetFloat8(next.rows().datum(0, 1).value);
}

bool keep_policy(const Policy& policy, Milliseconds lease) {
  static pg::Statement keep(
      "UPDATE audiostore.policies SET leased_until = clock_timestamp() + make_interval(secs => $2), resume_after = $3"
      " WHERE id = $1 AND claimed_by = pg_backend_pid() AND enabled",
      {INT8OID, FLOAT8OID, TEXTOID});
  return keep.execute({Int64GetDatum(policy.id), seconds(lease), text_or_null(policy.resume_after)}) > 0;
}

void clear_policy_alert(std::int64_t id) { monitor::clear_alert("policy_failed", std::to_string(id)); }

void settle_policy(const ClaimedPolicy& claimed, const PolicyOutcome& outcome) {
  static pg::Statement settle(kSettle, {INT8OID, TEXTOID, INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID});
  Policy const& policy = claimed.policy;
  std::uint64_t const ours =
      settle.execute({Int64GetDatum(policy.id), pg::text_argument(kind_name(outcome.kind)), Int64GetDatum(outcome.rows),
                      Int64GetDatum(outcome.bytes), Int64GetDatum(outcome.kept), text_or_null(outcome.error),
                      text_or_null(outcome.row_error)});
  end_run(claimed.run, outcome);
  if (ours == 0) return;
  if (outcome.kind == PolicyOutcome::Kind::failed) {
    std::string const of = policy.expiry() ? " of store \"" + policy.store + "\"" : std::string();
    std::string const message = policy.name() + of + " failed: " + outcome.error;
    monitor::raise_alert({.name = "policy_failed", .subject = std::to_string(policy.id), .message = message});
  } else if (outcome.kind == PolicyOutcome::Kind::done) {
    clear_policy_alert(policy.id);
  }
}

}  // namespace audiostore::lifecycle
