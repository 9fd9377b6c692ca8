// The extension's settings (GUCs), all defined here so that pg_settings lists them as soon as the library is loaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace audiostore::pg {

// From _PG_init.
void settings_init();

namespace settings {

bool enabled();                                 // audiostore.enabled
std::string_view databases();                   // audiostore.databases: comma-separated; empty means all
std::string_view default_store();               // audiostore.default_store; empty: none
int max_connections();                          // audiostore.max_connections
std::chrono::seconds run_history();             // audiostore.run_history
int run_history_count();                        // audiostore.run_history_count: runs of each task
std::chrono::seconds accounting_interval();     // audiostore.accounting_interval; 0: never
std::chrono::seconds alert_interval();          // audiostore.alert_interval
int audio_workers();                            // audiostore.audio_workers
std::chrono::milliseconds decoder_timeout();    // audiostore.decoder_timeout
std::uint64_t decoder_memory();                 // audiostore.decoder_memory, bytes
std::chrono::seconds cache_ttl();               // audiostore.cache_ttl
std::int64_t cache_max_entries();               // audiostore.cache_max_entries
std::int64_t cache_max_bytes();                 // audiostore.cache_max_bytes; 0: no limit
std::chrono::seconds cache_cleanup_interval();  // audiostore.cache_cleanup_interval
bool caching();                                 // audiostore.caching
bool cache_unlogged();                          // audiostore.cache_durability is unlogged

}  // namespace settings
}  // namespace audiostore::pg
