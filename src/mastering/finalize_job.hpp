// What a job audio_finalize reads and writes in the database. All of it runs inside the caller's transaction, as the
// owner of the extension.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audio/wire.hpp"

namespace audiostore::mastering {

struct FinalizeJob {
  std::int64_t id = 0;
  std::int64_t claim = 0;
  double target_lufs = -16;
  double max_true_peak_dbtp = -1;
};

struct Asset {
  std::string store;
  std::string raw_key;
  std::string final_key;
};

// The name of this process as a claimant.
std::string worker_name();

// Ends the leases of such processes that are gone, whatever is left of them.
void end_leases_of_the_dead();

std::vector<FinalizeJob> claim_jobs(const std::string& worker, std::chrono::milliseconds lease, int limit);

// The asset, with the intent to write its final object on record; none: there was nothing to do, and the job is done.
std::optional<Asset> begin_job(const FinalizeJob& job, const std::string& worker);

// No put of the raw audio is queued any more.
bool raw_is_stored(const Asset& asset);

void extend_claim(const FinalizeJob& job, const std::string& worker, std::chrono::milliseconds lease);
void give_back(const FinalizeJob& job, const std::string& worker);
// The same for a job that cannot be done just now: it is due again in a while.
void put_off(const FinalizeJob& job, const std::string& worker, const std::string& why);

struct Mastered {
  const audio::wire::Reply& reply;
  std::string raw_sha256;  // hexadecimal
};

// The final object is in the store.
void finish_job(const FinalizeJob& job, const std::string& worker, const Mastered& mastered);
void fail_job(const FinalizeJob& job, const std::string& worker, const std::string& error, bool retry);

}  // namespace audiostore::mastering
