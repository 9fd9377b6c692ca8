// The process of a database worker: how it comes up, what it shows of itself, and how it leaves.
#pragma once

#include "monitor/progress.hpp"
#include "monitor/shared.hpp"

namespace audiostore::worker {

// True once for each time somebody said that the extension may have changed.
bool take_look_again();

// How often this worker was woken so far.
std::uint64_t wakes() noexcept;

// For the loop's own use, beside what monitor/progress.hpp offers to tasks.
void note_step() noexcept;
void report_idle();

}  // namespace audiostore::worker
