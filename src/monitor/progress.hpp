// What a task tells the world: its counters in worker_status, its state in pg_stat_activity. All of it does nothing
// outside a database worker, so that CALL audiostore.run() can use the same code.
#pragma once

#include <cstdint>
#include <string_view>

namespace audiostore::monitor {

struct Progress {
  std::uint64_t done = 0;
  std::uint64_t failed = 0;  // attempts, not only operations given up
  std::uint64_t bytes = 0;
};

// Adds to the counters of this worker.
void count(const Progress& progress) noexcept;

// The last error as worker_status shows it (cut to some hundred bytes).
void note_error(std::string_view message) noexcept;

// What pg_stat_activity shows as the worker's query; the state is active until the loop waits with nothing in flight.
void activity(std::string_view what) noexcept;

}  // namespace audiostore::monitor
