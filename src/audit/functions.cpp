// What users do with audits that the worker carries out. They act as the owner of the extension's tables once the
// caller's rights are checked.
#include "audit/audits_table.hpp"
#include "audit/owned.hpp"
#include "audit/request.hpp"
#include "outbox/enqueue.hpp"
#include "pg/identity.hpp"
#include "pg/statement.hpp"
#include "pg/time.hpp"

namespace audiostore::audit {
namespace {

pg::Argument verify_argument(const Request& request) {
  return request.verify ? pg::text_argument("sha256") : pg::Argument();
}

Datum start_audit(FunctionCallInfo info) {
  Request const request = read_request(pg::Arguments(info), 2);
  Oid const caller = GetUserId();
  Datum const sample = pg::call([&] { return Float8GetDatum(request.sample); });
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement insert(
      "INSERT INTO audiostore.audits (store, prefix, min_age, verify, sample, owner)"
      " VALUES ($1, $2, $3, $4, $5, $6::regrole) RETURNING id",
      {TEXTOID, TEXTOID, INTERVALOID, TEXTOID, FLOAT8OID, OIDOID});
  insert.execute({pg::text_argument(request.store.name), pg::text_argument(request.prefix), request.min_age,
                  verify_argument(request), sample, ObjectIdGetDatum(caller)});
  std::int64_t const id = insert.rows().bigint(0, 1);
  outbox::wake_at_commit();
  return Int64GetDatum(id);
}

Datum add_audit_policy(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  Request const request = read_request(arguments, 3);
  Datum const schedule = arguments.datum(2, "schedule");
  if (pg::to_microseconds(*DatumGetIntervalP(schedule)) < std::chrono::seconds(1)) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "schedule must be at least one second");
  }
  if (pg::to_microseconds(*DatumGetIntervalP(request.min_age)).count() == 0) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "min_age must be greater than zero");
  }
  Oid const caller = GetUserId();
  Datum const sample = pg::call([&] { return Float8GetDatum(request.sample); });
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement insert(
      "INSERT INTO audiostore.policies (kind, store, prefix, after, schedule, verify, sample, owner)"
      " VALUES ('audit', $1, $2, $3, $4, $5, $6, $7::regrole)"
      " ON CONFLICT (store, prefix) WHERE kind = 'audit' DO NOTHING RETURNING id",
      {TEXTOID, TEXTOID, INTERVALOID, INTERVALOID, TEXTOID, FLOAT8OID, OIDOID});
  if (insert.execute({pg::text_argument(request.store.name), pg::text_argument(request.prefix), request.min_age,
                      schedule, verify_argument(request), sample, ObjectIdGetDatum(caller)}) == 0) {
    throw pg::SqlError(ERRCODE_DUPLICATE_OBJECT,
                       "store \"" + request.store.name + "\" has an audit policy for the prefix \"" + request.prefix +
                           "\" already",
                       {}, "Change it with audiostore.alter_policy().");
  }
  std::int64_t const id = insert.rows().bigint(0, 1);
  outbox::wake_at_commit();
  return Int64GetDatum(id);
}

Datum cancel_audit(FunctionCallInfo info) {
  std::int64_t const id = pg::Arguments(info).bigint(0, "id");
  Oid const caller = GetUserId();
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  (void)owned_audit(id, caller);
  static pg::Statement cancel(
      "UPDATE audiostore.audits SET state = 'cancelled', finished_at = clock_timestamp(), leased_until = NULL,"
      " claimed_by = NULL WHERE id = $1 AND state IN ('queued', 'running')",
      {INT8OID});
  bool const cancelled = cancel.execute({Int64GetDatum(id)}) > 0;
  static pg::Statement tidy("DELETE FROM audiostore.audit_ranges WHERE audit_id = $1", {INT8OID});
  if (cancelled) tidy.execute({Int64GetDatum(id)});
  return BoolGetDatum(cancelled);
}

}  // namespace

OwnedAudit owned_audit(std::int64_t id, Oid caller) {
  static pg::Statement find(
      "SELECT store, prefix, owner::oid, state, complete, objects, started_at - min_age, coalesce(error, '')"
      " FROM audiostore.audits WHERE id = $1",
      {INT8OID});
  if (find.execute({Int64GetDatum(id)}) == 0) {
    throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "audit " + std::to_string(id) + " does not exist", {},
                       "SELECT * FROM audiostore.audits lists audits.");
  }
  pg::Rows const rows = find.rows();
  Oid const owner = DatumGetObjectId(rows.datum(0, 3).value);
  if (!pg::call([&] { return has_privs_of_role(caller, owner); })) {
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE, "must be owner of audit " + std::to_string(id));
  }
  OwnedAudit audit{.id = id,
                   .store = rows.text(0, 1),
                   .prefix = rows.text(0, 2),
                   .state = rows.text(0, 4),
                   .complete = rows.boolean(0, 5),
                   .objects = rows.bigint(0, 6),
                   .cutoff = {},
                   .error = rows.text(0, 8)};
  if (!rows.null(0, 7)) audit.cutoff = pg::to_time_point(rows.timestamp(0, 7));
  return audit;
}

}  // namespace audiostore::audit

AUDIOSTORE_FUNCTION(start_audit, audiostore::audit::start_audit)
AUDIOSTORE_FUNCTION(add_audit_policy, audiostore::audit::add_audit_policy)
AUDIOSTORE_FUNCTION(cancel_audit, audiostore::audit::cancel_audit)
