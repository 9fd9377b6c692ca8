#include "mastering/finalize_job.hpp"

#include <nlohmann/json.hpp>

#include "foreign/catalog.hpp"
#include "mastering/figures.hpp"
#include "outbox/enqueue.hpp"
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

pg::Argument uuid_argument(const std::string& text) {
  return pg::call([&] { return DirectFunctionCall1(uuid_in, CStringGetDatum(text.c_str())); });
}

bool is_uuid(std::string_view text) {
  return text.size() == 36 && text.find_first_not_of("0123456789abcdefABCDEF-") == std::string_view::npos;
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
  if (auto const found = given.find("asset_id"); found != given.end() && found->is_string()) {
    if (auto const asset = found->get<std::string>(); is_uuid(asset)) job.asset = asset;
  }
}

// Forgets the asset's id where there is no such row.
void find_asset(FinalizeJob& job) {
  if (job.asset.empty()) return;
  static pg::Statement start("SELECT * FROM audiostore.start_audio_finalize($1)", {UUIDOID});
  if (start.execute({uuid_argument(job.asset)}) == 0) {
    job.asset.clear();
    return;
  }
  pg::Rows const rows = start.rows();
  job.store = rows.text(0, 1);
  job.raw_key = rows.text(0, 2);
  job.final_key = rows.text(0, 3);
  job.mastered = rows.boolean(0, 4);
}

}  // namespace

std::vector<FinalizeJob> claim_finalize_jobs(const std::string& worker, std::chrono::milliseconds lease, int limit) {
  static pg::Statement claim(
      "SELECT id, claim, payload::text FROM audiostore.claim_jobs('{audio_finalize}', $1, $2, $3) ORDER BY id",
      {TEXTOID, INTERVALOID, INT4OID});
  claim.execute({pg::text_argument(worker), interval_argument(lease), Int32GetDatum(limit)});
  pg::Rows const rows = claim.rows();
  std::vector<FinalizeJob> jobs;
  jobs.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); i++) {
    FinalizeJob& job = jobs.emplace_back();
    job.id = rows.bigint(i, 1);
    job.claim = rows.bigint(i, 2);
    read_payload(rows.text(i, 3), job);
  }
  for (FinalizeJob& job : jobs) find_asset(job);
  return jobs;
}

bool raw_is_stored(const FinalizeJob& job) {
  static pg::Statement queued(
      "SELECT FROM audiostore.operations WHERE kind <> 'delete' AND kind = 'put' AND state <> 'dead' AND key = $1 AND "
      "store = $2 LIMIT 1",
      {TEXTOID, TEXTOID});
  return queued.execute({pg::text_argument(job.raw_key), pg::text_argument(job.store)}) == 0;
}

Judgement judge_figures(const audio::wire::Reply& reply, double target_lufs) {
  static pg::Statement rules("SELECT (v ->> 'passed')::boolean FROM audiostore.validate_audio_figures($1) v",
                             {JSONBOID});
  Judgement judgement;
  judgement.figures = figures_of(reply, target_lufs).dump();
  rules.execute({pg::jsonb_from_text(judgement.figures)});
  judgement.passed = rules.rows().boolean(0, 1);
  return judgement;
}

void intend_to_write(const FinalizeJob& job, std::chrono::milliseconds patience) {
  outbox::NewOperation intent{.kind = outbox::Kind::del,
                              .store = job.store,
                              .key = job.final_key,
                              .target_store = {},
                              .target_key = {},
                              .payload = std::nullopt,
                              .reason = "unless mastering enters it"};
  intent.not_before = GetCurrentTimestamp() + std::chrono::microseconds(patience).count();
  outbox::enqueue(intent);
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

void put_off_job(const FinalizeJob& job, const std::string& worker, const std::string& why) {
  give_back(job, worker);
  // Not all at once when the store is back.
  static pg::Statement later(
      "UPDATE audiostore.jobs SET last_error = $2, not_before = clock_timestamp() + (5 + 10 * random()) * interval '1 "
      "s' "
      "WHERE id = $1",
      {INT8OID, TEXTOID});
  later.execute({Int64GetDatum(job.id), pg::text_argument(why)});
}

void finish_job(const FinalizeJob& job, const std::string& worker, const Judgement& judgement,
                std::optional<std::uint64_t> final_size) {
  static pg::Statement finish("SELECT audiostore.finish_audio_finalize($1, $2, $3, $4, $5, $6, $7)",
                              {INT8OID, TEXTOID, INT8OID, UUIDOID, TEXTOID, JSONBOID, INT8OID});
  finish.execute({Int64GetDatum(job.id), pg::text_argument(worker), Int64GetDatum(job.claim), uuid_argument(job.asset),
                  final_size ? pg::text_argument(job.final_key) : pg::Argument(),
                  pg::jsonb_from_text(judgement.figures),
                  final_size ? pg::Argument(Int64GetDatum(static_cast<std::int64_t>(*final_size))) : pg::Argument()});
}

void fail_job(const FinalizeJob& job, const std::string& worker, const std::string& error, bool retry) {
  static pg::Statement fail("SELECT audiostore.fail_audio_finalize($1, $2, $3, $4, $5, $6)",
                            {INT8OID, TEXTOID, INT8OID, UUIDOID, TEXTOID, BOOLOID});
  fail.execute({Int64GetDatum(job.id), pg::text_argument(worker), Int64GetDatum(job.claim),
                job.asset.empty() ? pg::Argument() : uuid_argument(job.asset), pg::text_argument(error),
                BoolGetDatum(retry)});
}

}  // namespace audiostore::mastering
