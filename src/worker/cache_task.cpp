#include "worker/cache_task.hpp"

#include "pg/identity.hpp"
#include "pg/settings.hpp"
#include "pg/statement.hpp"
#include "pg/time.hpp"

namespace audiostore::worker {
namespace {

constexpr std::chrono::seconds kFoldEvery{5};
constexpr std::chrono::milliseconds kLeastPause{50};
constexpr std::chrono::hours kArchiveEvery{1};

std::int64_t expire_archives() {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement expire("SELECT audiostore.cache_archive_expiry()", {});
  expire.execute({});
  return expire.rows().bigint(0, 0 + 1);
}

cache::SharedCache* shared_cache() { return cache::relations().shared; }

}  // namespace

std::int64_t CacheTask::run_once(pg::Transactions& transactions) {
  cache::Maintenance maintenance(transactions);
  std::int64_t const removed = maintenance.run(true, cache::Maintenance::Spare::none);
  maintenance.fold();
  return removed + transactions.run([] { return expire_archives(); });
}

TimePoint CacheTask::step(TimePoint now) {
  bool counts = false;
  bool full = false;
  transactions_.run([&] {
    cache::SharedCache* const shared = shared_cache();
    counts = shared != nullptr && cache::has_counts(*shared);
    full = shared != nullptr && cache::over_limit(*shared);
    maintenance_.look();
  });
  if (counts && now >= next_fold_) {
    maintenance_.fold();
    next_fold_ = now + kFoldEvery;
  }
  bool const thorough = full || now >= next_full_;
  if (thorough) next_full_ = now + pg::settings::cache_cleanup_interval();
  bool const due = maintenance_.in_use() && pg::to_time_point(maintenance_.next()) <= now;
  if (thorough || due) maintenance_.run(thorough);
  if (now >= next_archive_) {
    transactions_.run([] { expire_archives(); });
    next_archive_ = now + kArchiveEvery;
  }
  TimePoint const next = std::min(next_full_, next_archive_);
  if (!maintenance_.in_use()) return next;
  return std::min({next, now + kFoldEvery, std::max(pg::to_time_point(maintenance_.next()), now + kLeastPause)});
}

void CacheTask::stop() {}

}  // namespace audiostore::worker
