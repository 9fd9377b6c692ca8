// The cache's totals: hits, misses, puts, entries expired and evicted. Counted in shared memory; where there is none,
// in a row of audiostore_cache.sampled_counters, which is overwritten where it lies as hits of entries are (hits.hpp):
// one event in kSampled, for all of them. Either is added to the row of the hour in audiostore.cache_counters now and
// then.
#pragma once

#include <cstdint>

namespace audiostore::cache {

enum class Counted { hits, misses, puts, expired, evicted };
inline constexpr int kCounted = 5;

// One lookup or put. Says whether it is one of the sample, which stands for kSampled of them; never with shared memory.
inline constexpr std::uint32_t kSampled = 64;
bool count(Counted what);
// So many entries, exactly.
void count(Counted what, std::int64_t number);

// Moves what was counted to cache_counters; inside a transaction.
void save_counters();

}  // namespace audiostore::cache
