#include "cache/counters.hpp"

#include "cache/segments.hpp"
#include "pg/identity.hpp"
#include "pg/result_set.hpp"
#include "pg/statement.hpp"

namespace audiostore::cache {
namespace {

constexpr int kCounters = 5;

std::array<pg_atomic_uint64*, kCounters> list(Counters& c) {
  return {&c.hits, &c.misses, &c.puts, &c.expired, &c.evicted};
}

// What has not been saved yet, for cache_stats().
Datum unsaved_counters(FunctionCallInfo info) {
  std::int64_t values[kCounters] = {};
  if (SharedCache* const shared = relations().shared) {
    int i = 0;
    for (pg_atomic_uint64* const counter : list(counters(*shared))) {
      values[i++] = static_cast<std::int64_t>(pg_atomic_read_u64(counter));
    }
  }
  return pg::composite(info, {{Int64GetDatum(values[0]), false},
                              {Int64GetDatum(values[1]), false},
                              {Int64GetDatum(values[2]), false},
                              {Int64GetDatum(values[3]), false},
                              {Int64GetDatum(values[4]), false}});
}

}  // namespace

void save_counters() {
  SharedCache* const shared = relations().shared;
  if (shared == nullptr) return;
  auto const all = list(counters(*shared));
  std::int64_t taken[kCounters];
  bool any = false;
  for (std::size_t i = 0; i < all.size(); i++) {
    taken[i] = static_cast<std::int64_t>(pg_atomic_exchange_u64(all[i], 0));
    any = any || taken[i] != 0;
  }
  if (!any) return;
  try {
    pg::Spi const spi;
    pg::AsExtensionOwner const owner;
    static pg::Statement save(
        "INSERT INTO audiostore.cache_counters AS c (hour, hits, misses, puts, expired, evicted)"
        " VALUES (date_trunc('hour', clock_timestamp()), $1, $2, $3, $4, $5)"
        " ON CONFLICT (hour) DO UPDATE SET hits = c.hits + excluded.hits, misses = c.misses + excluded.misses,"
        " puts = c.puts + excluded.puts, expired = c.expired + excluded.expired, evicted = c.evicted + "
        "excluded.evicted",
        {INT8OID, INT8OID, INT8OID, INT8OID, INT8OID});
    save.execute({Int64GetDatum(taken[0]), Int64GetDatum(taken[1]), Int64GetDatum(taken[2]), Int64GetDatum(taken[3]),
                  Int64GetDatum(taken[4])});
  } catch (...) {
    for (std::size_t i = 0; i < all.size(); i++) pg_atomic_fetch_add_u64(all[i], taken[i]);
    throw;
  }
}

}  // namespace audiostore::cache

AUDIOSTORE_FUNCTION(cache_unsaved_counters, audiostore::cache::unsaved_counters)
