// The history of recurring tasks, in the table audiostore.runs. A run is recorded, and committed by the caller, before
// it starts, so that a crash in the middle is seen: it stays without an end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace audiostore::worker {

struct RunResult {
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
  std::string error;  // empty: it went well
};

// Inside the caller's transaction; returns the run's id.
std::int64_t begin_run(std::string_view task);
void finish_run(std::int64_t id, const RunResult& result);

}  // namespace audiostore::worker
