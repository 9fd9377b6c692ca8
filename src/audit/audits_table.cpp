#include "audit/audits_table.hpp"

#include "foreign/listing.hpp"
#include "monitor/alerts.hpp"
#include "pg/statement.hpp"
#include "pg/time.hpp"

namespace audiostore::audit {
namespace {

// After so many attempts in a row that came no further, an audit has failed.
constexpr std::int32_t kMostFailures = 5;

pg::Argument seconds(Milliseconds time) {
  double const value = std::chrono::duration<double>(time).count();
  return pg::call([&] { return Float8GetDatum(value); });
}

pg::Argument text_or_null(const std::string& text) { return text.empty() ? pg::Argument() : pg::text_argument(text); }

pg::Argument number(std::uint64_t value) {
  return Int64GetDatum(static_cast<std::int64_t>(std::min<std::uint64_t>(value, INT64_MAX)));
}

pg::Argument argument(NullableDatum value) { return value.isnull ? pg::Argument() : pg::Argument(value.value); }

const char* lists_name(Lists lists) { return lists == Lists::objects ? "objects" : "unfinished uploads"; }

std::int64_t begin_run(const Audit& audit) {
  static pg::Statement begin(
      "INSERT INTO audiostore.runs (task, started_at, pid)"
      " VALUES ($1, clock_timestamp(), pg_backend_pid()) RETURNING id",
      {TEXTOID});
  begin.execute({pg::text_argument("audits: " + audit.name() + " of store " + audit.store)});
  std::int64_t const run = begin.rows().bigint(0, 1);
  static pg::Statement note("UPDATE audiostore.audits SET run = $2 WHERE id = $1", {INT8OID, INT8OID});
  note.execute({Int64GetDatum(audit.id), Int64GetDatum(run)});
  return run;
}

void add_finding(const Audit& audit, const Report& report) {
  static pg::Statement insert(
      "INSERT INTO audiostore.audit_findings (audit_id, finding, key, size, last_modified, relation, key_column,"
      "  detail) VALUES ($1, $2, $3, $4, $5, $6::regclass, $7::name, $8)",
      {INT8OID, TEXTOID, TEXTOID, INT8OID, TIMESTAMPTZOID, OIDOID, TEXTOID, TEXTOID});
  pg::Argument size;
  pg::Argument time;
  if (report.object) {
    auto const values = foreign::values_of(*report.object);
    if (report.finding != Finding::unfinished_upload) size = argument(values[1]);
    time = argument(values[3]);
  }
  pg::Argument const relation =
      OidIsValid(report.relation) ? pg::Argument(ObjectIdGetDatum(report.relation)) : pg::Argument();
  insert.execute({Int64GetDatum(audit.id), pg::text_argument(finding_name(report.finding)),
                  pg::text_argument(report.key), size, time, relation, text_or_null(report.key_column), text_or_null(report.detail)});
}

// How an attempt ended. What came before it counts, so that an audit which comes further each time goes on for ever.
constexpr const char* kSettle =
    "UPDATE audiostore.audits SET leased_until = NULL, claimed_by = NULL, error = $3,"
    " state = CASE WHEN $2 = 'done' THEN 'done' WHEN $2 = 'failed' OR ($2 = 'put off' AND failures + 1 >= $4)"
    "  THEN 'failed' ELSE 'queued' END,"
    " complete = ($2 = 'done' AND unusable_keys = 0),"
    " finished_at = CASE WHEN $2 IN ('done', 'failed') OR ($2 = 'put off' AND failures + 1 >= $4)"
    "  THEN clock_timestamp() END,"
    " not_before = CASE $2 WHEN 'put off'"
    "  THEN clock_timestamp() + least(interval '10 minutes', interval '5 seconds' * power(2, least(failures, 10)))"
    "  ELSE not_before END,"
    " failures = CASE $2 WHEN 'put off' THEN failures + 1 ELSE failures END"
    " WHERE id = $1 AND claimed_by = pg_backend_pid() AND state = 'running'"
    " RETURNING state, findings, unusable_keys, objects, bytes";

const char* kind_name(AuditOutcome::Kind kind) {
  switch (kind) {
    case AuditOutcome::Kind::done: return "done";
    case AuditOutcome::Kind::put_off: return "put off";
    case AuditOutcome::Kind::interrupted: return "interrupted";
    case AuditOutcome::Kind::failed: return "failed";
  }
  return "failed";
}

// "3 orphaned_object, 1 dangling_row"
std::string findings_of(const Audit& audit) {
  static pg::Statement count(
      "SELECT string_agg(n || ' ' || finding, ', ' ORDER BY finding) FROM"
      " (SELECT finding, count(*) AS n FROM audiostore.audit_findings WHERE audit_id = $1 GROUP BY finding) f",
      {INT8OID});
  count.execute({Int64GetDatum(audit.id)});
  return count.rows().text(0, 1);
}

void raise_or_clear(const Audit& audit, const std::string& state, std::int64_t findings, const std::string& error) {
  std::string const subject = audit.prefix.empty() ? audit.store : audit.store + "/" + audit.prefix;
  if (state == "failed") {
    std::string const message = audit.name() + " of store \"" + audit.store + "\" failed: " + error;
    monitor::raise_alert({.name = "audit_failed", .subject = subject, .message = message});
  } else if (state == "done") {
    monitor::clear_alert("audit_failed", subject);
    if (findings > 0) {
      std::string const message =
          audit.name() + " of store \"" + audit.store + "\" found " + findings_of(audit) + ": see audit_findings";
      monitor::raise_alert({.name = "audit_findings", .subject = subject, .message = message});
    } else {
      monitor::clear_alert("audit_findings", subject);
    }
  }
}

}  // namespace

void release_audits_of_the_dead() {
  static pg::Statement claimants("SELECT id, claimed_by FROM audiostore.audits WHERE claimed_by IS NOT NULL", {});
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
      "UPDATE audiostore.audits SET leased_until = NULL, claimed_by = NULL WHERE id = ANY ($1)", {INT8ARRAYOID});
  release.execute({pg::bigint_array(lost)});
}

// A policy waits for the schedule either way, so that none of them is tried again and again.
void queue_audits_of_policies() {
  static pg::Statement queue(
      "WITH due AS (SELECT id FROM audiostore.policies"
      "  WHERE kind = 'audit' AND enabled AND next_run_at <= clock_timestamp() FOR UPDATE SKIP LOCKED),"
      " run AS (UPDATE audiostore.policies p SET next_run_at = greatest(next_run_at + schedule, clock_timestamp()),"
      "  last_run_at = clock_timestamp() FROM due WHERE p.id = due.id"
      "  RETURNING p.id, p.store, p.prefix, p.after, p.verify, p.sample, p.owner)"
      " INSERT INTO audiostore.audits (policy, store, prefix, min_age, verify, sample, owner)"
      " SELECT id, store, prefix, after, verify, sample, owner FROM run"
      " WHERE NOT EXISTS (SELECT FROM audiostore.audits a WHERE a.policy = run.id AND a.state IN ('queued', 'running'))",
      {});
  queue.execute({});
}

std::vector<Audit> claim_audits(std::span<const std::int64_t> except, std::size_t limit, Milliseconds lease) {
  static pg::Statement claim(
      "WITH due AS (SELECT id FROM audiostore.audits"
      "  WHERE state IN ('queued', 'running') AND not_before <= clock_timestamp() AND id <> ALL ($1)"
      "   AND (leased_until IS NULL OR leased_until < clock_timestamp())"
      "  ORDER BY not_before, id LIMIT $2 FOR UPDATE SKIP LOCKED)"
      " UPDATE audiostore.audits a SET state = 'running', claimed_by = pg_backend_pid(),"
      "  started_at = coalesce(started_at, clock_timestamp()),"
      "  leased_until = clock_timestamp() + make_interval(secs => $3)"
      " FROM due WHERE a.id = due.id"
      " RETURNING a.id, a.store, a.prefix, a.owner::oid, a.started_at - a.min_age, a.verify IS NOT NULL, a.sample",
      {INT8ARRAYOID, INT8OID, FLOAT8OID});
  claim.execute({pg::bigint_array(except), Int64GetDatum(static_cast<std::int64_t>(limit)), seconds(lease)});
  pg::Rows const rows = claim.rows();
  std::vector<Audit> claimed;
  for (std::size_t i = 0; i < rows.size(); i++) {
    Audit& audit = claimed.emplace_back();
    audit.id = rows.bigint(i, 1);
    audit.store = rows.text(i, 2);
    audit.prefix = rows.text(i, 3);
    audit.owner = DatumGetObjectId(rows.datum(i, 4).value);
    audit.rules = {.cutoff = pg::to_time_point(rows.timestamp(i, 5)),
                   .verify = rows.boolean(i, 6),
                   .sample = DatumGetFloat8(rows.datum(i, 7).value),
                   .seed = static_cast<std::uint64_t>(audit.id)};
  }
  for (Audit& audit : claimed) audit.run = begin_run(audit);
  return claimed;
}

std::optional<double> seconds_until_due_audit(std::span<const std::int64_t> except) {
  static pg::Statement next(
      "SELECT EXTRACT(epoch FROM least((SELECT min(greatest(not_before, leased_until)) FROM audiostore.audits"
      "  WHERE state IN ('queued', 'running') AND id <> ALL ($1)),"
      " (SELECT min(next_run_at) FROM audiostore.policies WHERE kind = 'audit' AND enabled))"
      " - clock_timestamp())::float8",
      {INT8ARRAYOID});
  next.execute({pg::bigint_array(except)});
  if (next.rows().null(0, 1)) return std::nullopt;
  return DatumGetFloat8(next.rows().datum(0, 1).value);
}

std::optional<std::vector<Range>> ranges_of(const Audit& audit) {
  static pg::Statement find(
      "SELECT number, lists, resume_after, ends_at, done FROM audiostore.audit_ranges"
      " WHERE audit_id = $1 ORDER BY number",
      {INT8OID});
  if (find.execute({Int64GetDatum(audit.id)}) == 0) return std::nullopt;
  pg::Rows const rows = find.rows();
  std::vector<Range> ranges;
  for (std::size_t i = 0; i < rows.size(); i++) {
    if (rows.boolean(i, 5)) continue;
    Range& range = ranges.emplace_back();
    range.number = rows.integer(i, 1);
    range.lists = rows.text(i, 2) == lists_name(Lists::objects) ? Lists::objects : Lists::unfinished_uploads;
    range.span = {.prefix = audit.prefix, .after = rows.text(i, 3), .until = {}};
    if (!rows.null(i, 4)) range.span.until = rows.text(i, 4);
  }
  return ranges;
}

void add_ranges(const Audit& audit, std::span<const Range> ranges, std::int64_t objects_expected) {
  static pg::Statement insert(
      "INSERT INTO audiostore.audit_ranges (audit_id, number, lists, starts_after, ends_at, resume_after)"
      " VALUES ($1, $2, $3, $4, $5, $4)",
      {INT8OID, INT4OID, TEXTOID, TEXTOID, TEXTOID});
  for (Range const& range : ranges) {
    insert.execute({Int64GetDatum(audit.id), Int32GetDatum(range.number), pg::text_argument(lists_name(range.lists)),
                    pg::text_argument(range.span.after),
                    range.span.until ? pg::text_argument(*range.span.until) : pg::Argument()});
  }
  static pg::Statement expect("UPDATE audiostore.audits SET objects_expected = $2 WHERE id = $1", {INT8OID, INT8OID});
  expect.execute({Int64GetDatum(audit.id), Int64GetDatum(objects_expected)});
}

std::optional<std::int64_t> objects_seen_before(const Audit& audit) {
  static pg::Statement find(
      "SELECT objects FROM audiostore.audits WHERE store = $1 AND prefix = $2 AND complete ORDER BY id DESC LIMIT 1",
      {TEXTOID, TEXTOID});
  if (find.execute({pg::text_argument(audit.store), pg::text_argument(audit.prefix)}) == 0) return std::nullopt;
  return find.rows().bigint(0, 1);
}

bool keep_audit(const Audit& audit, Milliseconds lease) {
  static pg::Statement keep(
      "UPDATE audiostore.audits SET leased_until = clock_timestamp() + make_interval(secs => $2)"
      " WHERE id = $1 AND claimed_by = pg_backend_pid() AND state = 'running'",
      {INT8OID, FLOAT8OID});
  return keep.execute({Int64GetDatum(audit.id), seconds(lease)}) > 0;
}

bool keep_verdict(const Audit& audit, const Range& range, const Verdict& verdict, Milliseconds lease) {
  static pg::Statement keep(
      "UPDATE audiostore.audits SET leased_until = clock_timestamp() + make_interval(secs => $2), failures = 0,"
      " objects = objects + $3, bytes = least(bytes::numeric + $4, 9223372036854775807)::bigint, rows = rows + $5,"
      " verified = verified + $6, unusable_keys = unusable_keys + $7, findings = findings + $8"
      " WHERE id = $1 AND claimed_by = pg_backend_pid() AND state = 'running'",
      {INT8OID, FLOAT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID});
  if (keep.execute({Int64GetDatum(audit.id), seconds(lease), number(verdict.objects), number(verdict.bytes),
                    number(verdict.rows), number(verdict.verified), number(verdict.unusable_keys),
                    number(verdict.reports.size())}) == 0) {
    return false;
  }
  for (Report const& report : verdict.reports) add_finding(audit, report);
  static pg::Statement advance(
      "UPDATE audiostore.audit_ranges SET resume_after = $3, done = $4 WHERE audit_id = $1 AND number = $2",
      {INT8OID, INT4OID, TEXTOID, BOOLOID});
  advance.execute({Int64GetDatum(audit.id), Int32GetDatum(range.number), pg::text_argument(verdict.resume),
                   BoolGetDatum(verdict.over)});
  return true;
}

std::int64_t settle_audit(const Audit& audit, const AuditOutcome& outcome) {
  static pg::Statement settle(kSettle, {INT8OID, TEXTOID, TEXTOID, INT4OID});
  static pg::Statement end_run(
      "UPDATE audiostore.runs SET finished_at = clock_timestamp(), rows = $2, bytes = $3, error = $4 WHERE id = $1",
      {INT8OID, INT8OID, INT8OID, TEXTOID});
  bool const ours = settle.execute({Int64GetDatum(audit.id), pg::text_argument(kind_name(outcome.kind)),
                                    text_or_null(outcome.error), Int32GetDatum(kMostFailures)}) > 0;
  std::string state;
  std::int64_t findings = 0;
  std::int64_t bytes = 0;
  if (ours) {
    state = settle.rows().text(0, 1);
    findings = settle.rows().bigint(0, 2);
    bytes = settle.rows().bigint(0, 5);
  }
  bool const good = outcome.kind == AuditOutcome::Kind::done;
  end_run.execute({Int64GetDatum(audit.run), Int64GetDatum(findings), Int64GetDatum(bytes),
                   good ? pg::Argument() : text_or_null(outcome.error)});
  if (!ours) return 0;
  raise_or_clear(audit, state, findings, outcome.error);
  static pg::Statement tell_policy(
      "UPDATE audiostore.policies p SET last_finished_at = a.finished_at, last_rows = a.findings, last_bytes = a.bytes,"
      " last_kept = 0, last_error = CASE a.state WHEN 'failed' THEN a.error END,"
      " failures = CASE a.state WHEN 'failed' THEN p.failures + 1 ELSE 0 END"
      " FROM audiostore.audits a WHERE a.id = $1 AND a.finished_at IS NOT NULL AND p.id = a.policy AND p.kind = 'audit'",
      {INT8OID});
  tell_policy.execute({Int64GetDatum(audit.id)});
  if (state == "done" || state == "failed") {
    static pg::Statement tidy("DELETE FROM audiostore.audit_ranges WHERE audit_id = $1", {INT8OID});
    tidy.execute({Int64GetDatum(audit.id)});
  }
  return good ? findings : 0;
}

}  // namespace audiostore::audit
