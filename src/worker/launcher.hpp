// The launcher: one static background worker, connected to no database, that sees to it that every database with the
// extension has a worker. Forgetful on purpose: whatever it knows it finds again after a restart.
#pragma once

#include "monitor/shared.hpp"

namespace audiostore::worker {

// Registers it; from _PG_init, when preloading.
void register_launcher();

// What a new worker is told, in bgw_extra.
struct Order {
  Oid database;
  std::uint64_t generation;
};

// Entry points by name, as background workers are found.
constexpr const char* kLibrary = "audiostore";
constexpr const char* kLauncherMain = "audiostore_launcher_main";
constexpr const char* kWorkerMain = "audiostore_worker_main";

}  // namespace audiostore::worker
