#include "worker/history.hpp"

#include "cost/accounting.hpp"
#include "pg/identity.hpp"
#include "pg/settings.hpp"
#include "pg/statement.hpp"

namespace audiostore::worker {
namespace {

constexpr std::chrono::minutes kEvery{10};

}  // namespace

void remove_old_history() {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement runs(
      "DELETE FROM audiostore.runs WHERE started_at < clock_timestamp() - make_interval(secs => $1)", {FLOAT8OID});
  // For each task: where the newest run is that is one too many. The tasks are found one after the other in the index.
  static pg::Statement more_runs(
      "WITH RECURSIVE tasks AS ("
      "  (SELECT task FROM audiostore.runs ORDER BY task LIMIT 1)"
      "  UNION ALL"
      "  SELECT (SELECT r.task FROM audiostore.runs r WHERE r.task > t.task ORDER BY r.task LIMIT 1)"
      "  FROM tasks t WHERE t.task IS NOT NULL)"
      " DELETE FROM audiostore.runs r USING tasks t"
      " CROSS JOIN LATERAL (SELECT n.finished_at, n.id FROM audiostore.runs n"
      "  WHERE n.task = t.task AND n.finished_at IS NOT NULL ORDER BY n.finished_at DESC, n.id DESC OFFSET $1 LIMIT 1) "
      "n"
      " WHERE r.task = t.task AND (r.finished_at, r.id) <= (n.finished_at, n.id)",
      {INT8OID});
  static pg::Statement alerts(
      "DELETE FROM audiostore.alerts WHERE cleared_at < clock_timestamp() - make_interval(secs => $1)", {FLOAT8OID});
  static pg::Statement jobs(
      "DELETE FROM audiostore.jobs"
      " WHERE state = 'done' AND finished_at < clock_timestamp() - make_interval(secs => $1)",
      {FLOAT8OID});
  // Rows of uploads that were not confirmed, or became part of another asset; their objects have gone by themselves.
  static pg::Statement uploads(
      "DELETE FROM audiostore.assets"
      " WHERE upload_expires_at < clock_timestamp() AND state IN ('uploading', 'deleted')",
      {});
  // What counters have counted goes on to be counted: a sum that shrinks would look like a restart.
  static pg::Statement counters(
      "WITH gone AS (DELETE FROM audiostore.cache_counters"
      "  WHERE hour < clock_timestamp() - make_interval(secs => $1) RETURNING hits, misses, puts, expired, evicted)"
      " INSERT INTO audiostore.counter_carries AS c (name, value)"
      " SELECT n.name, n.value FROM (SELECT sum(hits) h, sum(misses) m, sum(puts) p, sum(expired) x, sum(evicted) e"
      "  FROM gone) s, LATERAL (VALUES ('cache_hits', s.h), ('cache_misses', s.m), ('cache_puts', s.p),"
      "  ('cache_expired', s.x), ('cache_evicted', s.e)) n(name, value) WHERE n.value > 0"
      " ON CONFLICT (name) DO UPDATE SET value = c.value + EXCLUDED.value",
      {FLOAT8OID});
  static pg::Statement audits(
      "DELETE FROM audiostore.audits a WHERE finished_at < clock_timestamp() - make_interval(secs => $1)"
      " AND NOT (complete AND id = (SELECT max(b.id) FROM audiostore.audits b"
      "  WHERE b.store = a.store AND b.prefix = a.prefix AND b.complete))",
      {FLOAT8OID});
  Datum const age = pg::call([] { return Float8GetDatum(static_cast<double>(pg::settings::run_history().count())); });
  runs.execute({age});
  more_runs.execute({Int64GetDatum(std::int64_t{pg::settings::run_history_count()})});
  audits.execute({age});
  alerts.execute({age});
  jobs.execute({age});
  uploads.execute({});
  counters.execute({age});
  cost::thin_samples();
}

TimePoint HistoryTask::step(TimePoint now) {
  if (now < next_) return next_;
  transactions_.run([] { remove_old_history(); });
  next_ = now + kEvery;
  return next_;
}

}  // namespace audiostore::worker
