// What would surprise you: these variables are plain C storage that PostgreSQL writes to, also by longjmp'ing code.
#include "pg/settings.hpp"

#include "pg/pg.hpp"

namespace audiostore::pg {
namespace {

bool enabled_value = true;
char* databases_value = nullptr;
char* default_store_value = nullptr;
int max_connections_value = 64;
int run_history_value = 0;
int audio_workers_value = 2;
int decoder_timeout_value = 0;
int decoder_memory_value = 0;

constexpr int kMegabyte = 1024;  // in kB
constexpr int kDay = 24 * 60 * 60;

bool check_databases(char** value, void** /*extra*/, GucSource /*source*/) {
  char* copy = pstrdup(*value);
  List* names = NIL;
  bool const valid = SplitIdentifierString(copy, ',', &names);
  if (!valid) GUC_check_errdetail("List syntax is invalid.");
  list_free(names);
  pfree(copy);
  return valid;
}

bool check_default_store(char** value, void** /*extra*/, GucSource /*source*/) {
  if (std::strlen(*value) < NAMEDATALEN) return true;
  GUC_check_errdetail("The name of a foreign server is shorter than %d bytes.", NAMEDATALEN);
  return false;
}

std::string_view or_empty(const char* value) { return value != nullptr ? value : std::string_view(); }

}  // namespace

void settings_init() {
  DefineCustomBoolVariable("audiostore.enabled", "Lets the workers of this extension run.",
                           "When off, operations queue up until it is on again or audiostore.run() is called.",
                           &enabled_value, true, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomStringVariable("audiostore.databases", "Databases that get a worker, separated by commas.",
                             "Empty means all databases that have the extension.", &databases_value, "", PGC_SIGHUP,
                             GUC_LIST_INPUT, check_databases, nullptr, nullptr);
  DefineCustomStringVariable("audiostore.default_store", "The store that is used where none is named.",
                             "The name of a foreign server of the wrapper audiostore.", &default_store_value, "",
                             PGC_USERSET, 0, check_default_store, nullptr, nullptr);
  DefineCustomIntVariable("audiostore.max_connections",
                          "Connections that one process keeps open to all stores together.",
                          "Each store has a limit of its own, its option max_connections.", &max_connections_value, 64,
                          1, 1000, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "audiostore.run_history", "Age at which entries of audiostore.runs and done jobs are removed.", nullptr,
      &run_history_value, 30 * kDay, 60, INT_MAX, PGC_SIGHUP, GUC_UNIT_S, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("audiostore.audio_workers", "Audio files that the worker of a database masters at a time.",
                          "Each has a decoder process of its own; 0 leaves the jobs to audiostore.run('mastering').",
                          &audio_workers_value, 2, 0, 64, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "audiostore.decoder_timeout", "Longest time that one call of the audio decoder may take.",
      "A call that takes longer fails, and its helper process is ended. Large inputs get a second more for each 4 MB.",
      &decoder_timeout_value, 60'000, 10, INT_MAX, PGC_USERSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("audiostore.decoder_memory", "Memory that the audio decoder may take for one call.",
                          "It is counted as address space of the helper process, beyond what that starts with.",
                          &decoder_memory_value, 256 * kMegabyte, 16 * kMegabyte, INT_MAX, PGC_USERSET, GUC_UNIT_KB,
                          nullptr, nullptr, nullptr);
  reserve_setting_prefix("audiostore");
}

namespace settings {

bool enabled() { return enabled_value; }
std::string_view databases() { return or_empty(databases_value); }
std::string_view default_store() { return or_empty(default_store_value); }
int max_connections() { return max_connections_value; }
int audio_workers() { return audio_workers_value; }
std::chrono::seconds run_history() { return std::chrono::seconds(run_history_value); }
std::chrono::milliseconds decoder_timeout() { return std::chrono::milliseconds(decoder_timeout_value); }
std::uint64_t decoder_memory() { return static_cast<std::uint64_t>(decoder_memory_value) * 1024; }

}  // namespace settings
}  // namespace audiostore::pg
