// What a job audio_finalize reads and writes in the database. All of it runs inside the caller's transaction, as the
// owner of the extension.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audio/wire.hpp"
#include "base/error.hpp"
#include "pg/subtransaction.hpp"

namespace audiostore::mastering {

struct FinalizeJob {
  std::int64_t id = 0;
  std::int64_t claim = 0;
  std::string asset;  // empty: the row is gone, or the payload names none
  std::string store;
  std::string raw_key;
  std::string final_key;
  bool mastered = false;  // by an earlier job
  double target_lufs = -16;
  double max_true_peak_dbtp = -1;
};

struct Judgement {
  bool passed = false;
  std::string figures;  // JSON
};

std::vector<FinalizeJob> claim_finalize_jobs(const std::string& worker, std::chrono::milliseconds lease, int limit);

// The raw audio is stored: no put of its key is queued any more.
bool raw_is_stored(const FinalizeJob& job);

// By the table validation_rules.
Judgement judge_figures(const audio::wire::Reply& reply, double target_lufs);

// Queues the delete of the key that is about to be written, for the time when that ought to be over; a row that comes
// to hold the key cancels it.
void intend_to_write(const FinalizeJob& job, std::chrono::milliseconds patience);

void extend_claim(const FinalizeJob& job, const std::string& worker, std::chrono::milliseconds lease);
void give_back(const FinalizeJob& job, const std::string& worker);

// final_size: none where the audio did not pass, and nothing was put.
void finish_job(const FinalizeJob& job, const std::string& worker, const Judgement& judgement,
                std::optional<std::uint64_t> final_size);
// The attempt does not count: the job is due again in a while.
void put_off_job(const FinalizeJob& job, const std::string& worker, const std::string& why);
void fail_job(const FinalizeJob& job, const std::string& worker, const std::string& error, bool retry);

}  // namespace audiostore::mastering
