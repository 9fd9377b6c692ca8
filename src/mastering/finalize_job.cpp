#include "mastering/finalize_job.hpp"

#include <nlohmann/json.hpp>

#include "mastering/figures.hpp"
#include "pg/json.hpp"
#include "pg/statement.hpp"

namespace audiostore::mastering {
namespace {

pg::Argument interval_argument(std::chrono::milliseconds length) {
  return pg::call([&] {
    auto* const interval = static_cast<Interval*>(palloc0(sizeof(Interval)));
    interval->time = std::chrono::microseconds(length).count();
    return IntervalPGetDatum(interval);
  });
}

// A payload may be anything that somebody enqueued; what it lacks keeps its default.
void read_payload(const std::string& payload, FinalizeJob& job) {
  nlohmann::json const given = nlohmann::json::parse(payload);
  if (!given.is_object()) return;
  auto const number = [&](const char* name, double& value) {
    if (auto const found = given.find(name); found != given.end() && found->is_number()) value = found->get<double>();
  };
  number("target_lufs", job.target_lufs);
  number("max_true_peak_dbtp", job.max_true_peak_dbtp);
}

}  // namespace

std::string worker_name() { return "audiostore process " + std::to_string(MyProcPid); }

void end_leases_of_the_dead() {
  static pg::Statement end(
      "UPDATE audiostore.jobs SET leased_until = clock_timestamp() WHERE job_type = 'audio_finalize' AND state = "
      "'running' "
      "AND worker LIKE 'audiostore process %' AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a "
      "WHERE worker = 'audiostore process ' || a.pid)",
      {});
  end.execute({});
}

std::vector<FinalizeJob> claim_jobs(const std::string& worker, std::chrono::milliseconds lease, int limit) {
  static pg::Statement claim(
      "SELECT id, claim, payload::text FROM audiostore.claim_jobs('{audio_finalize}', $1, $2, $3) ORDER BY id",
      {TEXTOID, INTERVALOID, INT4OID});
  claim.execute({pg::text_argument(worker), interval_argument(lease), Int32GetDatum(limit)});
  pg::Rows const rows = claim.rows();
  std::vector<FinalizeJob> jobs(rows.size());
  for (std::size_t i = 0; i < rows.size(); i++) {
    jobs[i].id = rows.bigint(i, 1);
    jobs[i].claim = rows.bigint(i, 2);
    read_payload(rows.text(i, 3), jobs[i]);
  }
  return jobs;
}

std::optional<Asset> begin_job(const FinalizeJob& job, const std::string& worker) {
  static pg::Statement begin("SELECT store, raw_key, final_key FROM audiostore.begin_audio_finalize($1, $2, $3)",
                             {INT8OID, TEXTOID, INT8OID});
  begin.execute({Int64GetDatum(job.id), pg::text_argument(worker), Int64GetDatum(job.claim)});
  pg::Rows const rows = begin.rows();
  if (rows.size() == 0) return std::nullopt;
  return Asset{.store = rows.text(0, 1), .raw_key = rows.text(0, 2), .final_key = rows.text(0, 3)};
}

bool raw_is_stored(const Asset& asset) {
  static pg::Statement queued(
      "SELECT FROM audiostore.operation_rows WHERE kind <> 'delete' AND kind = 'put' AND state <> 'dead' AND key = $1 "
      "AND store = $2 LIMIT 1",
      {TEXTOID, TEXTOID});
  return queued.execute({pg::text_argument(asset.raw_key), pg::text_argument(asset.store)}) == 0;
}

void extend_claim(const FinalizeJob& job, const std::string& worker, std::chrono::milliseconds lease) {
  static pg::Statement heartbeat("SELECT audiostore.heartbeat_job($1, $2, $3, $4)",
                                 {INT8OID, TEXTOID, INTERVALOID, INT8OID});
  heartbeat.execute(
      {Int64GetDatum(job.id), pg::text_argument(worker), interval_argument(lease), Int64GetDatum(job.claim)});
}

void give_back(const FinalizeJob& job, const std::string& worker) {
  static pg::Statement release("SELECT audiostore.release_job($1, $2, $3)", {INT8OID, TEXTOID, INT8OID});
  release.execute({Int64GetDatum(job.id), pg::text_argument(worker), Int64GetDatum(job.claim)});
}

void put_off(const FinalizeJob& job, const std::string& worker, const std::string& why) {
  give_back(job, worker);
  // Not all at once when the store is back.
  static pg::Statement later(
      "UPDATE audiostore.jobs SET last_error = $2, not_before = clock_timestamp() + (5 + 10 * random()) * interval '1 "
      "s' "
      "WHERE id = $1",
      {INT8OID, TEXTOID});
  later.execute({Int64GetDatum(job.id), pg::text_argument(why)});
}

void finish_job(const FinalizeJob& job, const std::string& worker, const Mastered& mastered) {
  static pg::Statement finish("SELECT audiostore.finish_audio_finalize($1, $2, $3, $4, $5, $6)",
                              {INT8OID, TEXTOID, JSONBOID, INT8OID, TEXTOID, INT8OID});
  finish.execute({Int64GetDatum(job.id), pg::text_argument(worker),
                  pg::jsonb_from_text(figures_of(mastered.reply, job.target_lufs).dump()),
                  Int64GetDatum(static_cast<std::int64_t>(mastered.reply.output_size)),
                  pg::text_argument(mastered.raw_sha256), Int64GetDatum(job.claim)});
}

void fail_job(const FinalizeJob& job, const std::string& worker, const std::string& error, bool retry) {
  static pg::Statement fail("SELECT audiostore.fail_audio_finalize($1, $2, $3, $4, $5)",
                            {INT8OID, TEXTOID, TEXTOID, BOOLOID, INT8OID});
  fail.execute({Int64GetDatum(job.id), pg::text_argument(worker), pg::text_argument(error), BoolGetDatum(retry),
                Int64GetDatum(job.claim)});
}

}  // namespace audiostore::mastering
