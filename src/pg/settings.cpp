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
int run_history_count_value = 0;
int accounting_interval_value = 0;
int alert_interval_value = 0;
int audio_workers_value = 2;
int decoder_timeout_value = 0;
int decoder_memory_value = 0;
int cache_ttl_value = 0;
int cache_max_entries_value = 0;
int cache_max_bytes_value = 0;
int cache_cleanup_interval_value = 0;
bool caching_value = true;
int cache_durability_value = 0;

enum Durability { logged, unlogged };
constexpr config_enum_entry kDurabilities[] = {
    {"logged", logged, false}, {"unlogged", unlogged, false}, {nullptr, 0, false}};

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

namespace {

void watch_settings_init() {
  DefineCustomIntVariable("audiostore.run_history_count", "Entries of audiostore.runs that are kept for each task.",
                          "When there are more, the oldest go, however young they are.", &run_history_count_value, 1000,
                          1, INT_MAX, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("audiostore.accounting_interval", "Time between counts of what is tracked and what it costs.",
                          "The worker writes a sample of it to audiostore.storage_samples; 0 leaves that to "
                          "audiostore.run('accounting').",
                          &accounting_interval_value, 3600, 0, 30 * kDay, PGC_SIGHUP, GUC_UNIT_S, nullptr, nullptr,
                          nullptr);
  DefineCustomIntVariable("audiostore.alert_interval", "Time between looks at the alerts of audiostore.alert_rules.",
                          nullptr, &alert_interval_value, 15, 1, kDay, PGC_SIGHUP, GUC_UNIT_S, nullptr, nullptr,
                          nullptr);
}

void cache_settings_init() {
  DefineCustomIntVariable("audiostore.cache_ttl", "Time for which an entry of the audio cache lives.",
                          "For calls of cache_put() that do not say otherwise.", &cache_ttl_value, 300, 1, 365 * kDay,
                          PGC_USERSET, GUC_UNIT_S, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("audiostore.cache_max_entries", "Entries that the audio cache of a database holds.",
                          "When there are more, those that were accessed least recently go.", &cache_max_entries_value,
                          10'000, 1, INT_MAX, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("audiostore.cache_max_bytes", "Audio that the cache of a database holds.",
                          "When there is more, what was accessed least recently goes; 0 means no limit.",
                          &cache_max_bytes_value, 0, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_KB, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("audiostore.cache_cleanup_interval", "Time between full looks at the audio cache.",
                          "What has expired goes at once, and what is too much when the cache is full.",
                          &cache_cleanup_interval_value, 3600, 1, kDay, PGC_SIGHUP, GUC_UNIT_S, nullptr, nullptr,
                          nullptr);
  DefineCustomBoolVariable("audiostore.caching", "Lets the audio cache be used.",
                           "When off, every lookup misses and cache_put() stores nothing.", &caching_value, true,
                           PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomEnumVariable("audiostore.cache_durability", "Whether the audio cache is written to the WAL.",
                           "An unlogged cache is faster to write, empty after a crash and absent on standbys.",
                           &cache_durability_value, logged, kDurabilities, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
}

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
      "A call that takes longer fails, and its helper process is ended. Large inputs get as much again for each 64 MB.",
      &decoder_timeout_value, 60'000, 10, INT_MAX, PGC_USERSET, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("audiostore.decoder_memory", "Memory that the audio decoder may take for one call.",
                          "It is counted as address space of the helper process, beyond what that starts with.",
                          &decoder_memory_value, 256 * kMegabyte, 16 * kMegabyte, INT_MAX, PGC_USERSET, GUC_UNIT_KB,
                          nullptr, nullptr, nullptr);
  watch_settings_init();
  cache_settings_init();
  reserve_setting_prefix("audiostore");
}

namespace settings {

bool enabled() { return enabled_value; }
std::string_view databases() { return or_empty(databases_value); }
std::string_view default_store() { return or_empty(default_store_value); }
int max_connections() { return max_connections_value; }
int run_history_count() { return run_history_count_value; }
std::chrono::seconds accounting_interval() { return std::chrono::seconds(accounting_interval_value); }
std::chrono::seconds alert_interval() { return std::chrono::seconds(alert_interval_value); }
int audio_workers() { return audio_workers_value; }
std::chrono::seconds run_history() { return std::chrono::seconds(run_history_value); }
std::chrono::milliseconds decoder_timeout() { return std::chrono::milliseconds(decoder_timeout_value); }
std::uint64_t decoder_memory() { return static_cast<std::uint64_t>(decoder_memory_value) * 1024; }
std::chrono::seconds cache_ttl() { return std::chrono::seconds(cache_ttl_value); }
std::int64_t cache_max_entries() { return cache_max_entries_value; }
std::int64_t cache_max_bytes() { return std::int64_t{cache_max_bytes_value} * 1024; }
std::chrono::seconds cache_cleanup_interval() { return std::chrono::seconds(cache_cleanup_interval_value); }
bool caching() { return caching_value; }
bool cache_unlogged() { return cache_durability_value == unlogged; }

}  // namespace settings
}  // namespace audiostore::pg
