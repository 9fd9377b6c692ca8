#include "worker/history.hpp"

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
  static pg::Statement counters(
      "DELETE FROM audiostore.cache_counters WHERE hour < clock_timestamp() - make_interval(secs => $1)", {FLOAT8OID});
  static pg::Statement audits(
      "DELETE FROM audiostore.audits a WHERE finished_at < clock_timestamp() - make_interval(secs => $1)"
      " AND NOT (complete AND id = (SELECT max(b.id) FROM audiostore.audits b"
      "  WHERE b.store = a.store AND b.prefix = a.prefix AND b.complete))",
      {FLOAT8OID});
  Datum const age = pg::call([] { return Float8GetDatum(static_cast<double>(pg::settings::run_history().count())); });
  runs.execute({age});
  audits.execute({age});
  alerts.execute({age});
  jobs.execute({age});
  uploads.execute({});
  counters.execute({age});
}

TimePoint HistoryTask::step(TimePoint now) {
  if (now < next_) return next_;
  transactions_.run([] { remove_old_history(); });
  next_ = now + kEvery;
  return next_;
}

}  // namespace audiostore::worker
