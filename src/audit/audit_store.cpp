// audit_store(): an audit inside the statement, its findings as rows.
#include "audit/lane.hpp"
#include "audit/request.hpp"
#include "base/random.hpp"
#include "foreign/listing.hpp"
#include "pg/arguments.hpp"
#include "pg/identity.hpp"
#include "pg/memory_scope.hpp"
#include "pg/result_set.hpp"
#include "pg/statement.hpp"
#include "pg/time.hpp"

namespace audiostore::audit {
namespace {

constexpr std::chrono::milliseconds kLongestWait{100};

bool may_read(Oid relation, Oid role) {
  return !OidIsValid(relation) ||
         pg::call([&] { return pg_class_aclcheck(relation, role, ACL_SELECT) == ACLCHECK_OK; });
}

void add(pg::ResultSet& result, const Report& report) {
  constexpr NullableDatum kNull{Datum{0}, true};
  auto const values = report.object ? foreign::values_of(*report.object)
                                    : std::array<NullableDatum, foreign::kFields>{kNull, kNull, kNull, kNull, kNull};
  bool const upload = report.finding == Finding::unfinished_upload;
  result.add({NullableDatum{pg::varlena_datum(finding_name(report.finding)), false},
              NullableDatum{pg::varlena_datum(report.key), false}, upload ? kNull : values[1], values[3],
              OidIsValid(report.relation) ? NullableDatum{ObjectIdGetDatum(report.relation), false} : kNull,
              pg::text_or_null(report.detail)});
}

// The lane to its end; returns how many keys were no text here. The caller's rights are shed only while the tables are read.
std::uint64_t run(Lane& lane, Oid reader, pg::ResultSet& result) {
  SystemClock const clock;
  std::uint64_t unusable_keys = 0;
  while (lane.turn(clock.now()) != Lane::Turn::over) {
    if (lane.turn(clock.now()) == Lane::Turn::waits) {
      pg::ReportWait const waiting;
      foreign::client().poll(pg::prepare_wait() ? std::chrono::milliseconds(0) : kLongestWait, pg::wake_fd());
      pg::after_wait();
      continue;
    }
    pg::check_interrupts();
    lane.prepare();
    Verdict verdict;
    {
      pg::Spi const spi;
      pg::AsExtensionOwner const owner;
      pg::MemoryScope const memory("audiostore audit");
      verdict = lane.judge(clock.now());
    }
    for (Report const& report : verdict.reports) {
      if (may_read(report.relation, reader)) add(result, report);
    }
    unusable_keys += verdict.unusable_keys;
    lane.go_on();
  }
  return unusable_keys;
}

void warn(const Lane& lane, std::uint64_t unusable_keys, const std::string& store) {
  if (unusable_keys > 0) {
    pg::log(pg::Level::warning,
            {.sqlstate = 0,
             .message = "store \"" + store + "\" holds " + std::to_string(unusable_keys) +
                        " objects whose keys cannot be shown",
             .detail = std::string("The keys are not valid in the encoding ") + GetDatabaseEncodingName() + ".",
             .hint = {}});
  }
  if (!lane.note().empty()) {
    pg::log(pg::Level::warning, {.sqlstate = 0,
                                 .message = "some objects of store \"" + store + "\" could not be verified",
                                 .detail = "One of them: " + lane.note() + ".",
                                 .hint = {}});
  }
}

Datum audit_store(FunctionCallInfo info) {
  pg::Arguments const arguments(info);
  Request const request = read_request(arguments, 2);
  Oid const caller = GetUserId();
  auto const open = foreign::open_store(request.store, caller);
  pg::ResultSet result(info);
  SystemRandom random;
  AuditSpec const spec{.store = request.store.name,
                       .rules = {.cutoff = SystemClock().now() - pg::to_microseconds(*DatumGetIntervalP(request.min_age)),
                                 .verify = request.verify,
                                 .sample = request.sample,
                                 .seed = random.bits()},
                       .waiting = Waiting::yes};
  SortedRows sorted(request.prefix);
  KeySpan const span{.prefix = request.prefix, .after = {}, .until = {}};
  Lane objects(spec, open, span, Lists::objects, sorted);
  warn(objects, run(objects, caller, result), request.store.name);
  try {
    Lane uploads(spec, open, span, Lists::unfinished_uploads, sorted);
    run(uploads, caller, result);
  } catch (const Error& error) {
    if (transient(error.kind())) throw;
    pg::log(pg::Level::warning, {.sqlstate = 0, .message = error.message(), .detail = error.detail(), .hint = {}});
  }
  return Datum{0};
}

}  // namespace
}  // namespace audiostore::audit

AUDIOSTORE_FUNCTION(audit_store, audiostore::audit::audit_store)
