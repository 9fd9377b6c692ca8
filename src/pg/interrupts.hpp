// Waiting inside libcurl and yet hearing PostgreSQL: latches arrive as SIGURG, so a signalfd of our own for that
// signal is one more descriptor that curl_multi_poll waits for.
#pragma once

#include "pg/guard.hpp"

namespace audiostore::pg {

// A descriptor that becomes readable when this process's latch is set; one per process, made on first use.
int wake_fd();

// To call before waiting on wake_fd(): true when the latch is set already, so do not wait.
bool prepare_wait();

// To call after waiting: clears the descriptor and the latch, then raises pending cancels and terminations.
void after_wait();

}  // namespace audiostore::pg
