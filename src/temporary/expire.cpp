// A client may upload to a key for as long as its URL holds, and an upload that began in time ends later: so the object
// is deleted when its lease ends, and once more when nobody should be writing any longer. The row stays until then.
#include "temporary/expire.hpp"

#include "outbox/enqueue.hpp"
#include "pg/identity.hpp"
#include "pg/statement.hpp"
#include "pg/time.hpp"

namespace audiostore::temporary {
namespace {

constexpr std::int64_t kBatch = 1000;

// Leases that are over while somebody may still be writing. Their rows let go of the object, which queues its delete.
std::uint64_t end_leases() {
  static pg::Statement statement(
      "WITH due AS MATERIALIZED (SELECT key, store FROM audiostore.temporary_objects "
      "  WHERE due_at <= clock_timestamp() AND state = 'leased' AND upload_until > clock_timestamp() "
      "  ORDER BY due_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED) "
      "UPDATE audiostore.temporary_objects t SET state = 'expired', ended_at = clock_timestamp() "
      "FROM due WHERE t.key = due.key AND t.store = due.store",
      {INT8OID});
  return statement.execute({Int64GetDatum(kBatch)});
}

// The second delete, of what came too late.
std::uint64_t sweep() {
  static pg::Statement statement(
      "WITH due AS MATERIALIZED (SELECT key, store FROM audiostore.temporary_objects "
      "  WHERE due_at <= clock_timestamp() AND state <> 'leased' AND upload_until <= clock_timestamp() "
      "  ORDER BY due_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED), "
      "swept AS (UPDATE audiostore.temporary_objects t SET upload_until = NULL "
      "  FROM due WHERE t.key = due.key AND t.store = due.store RETURNING t.store, t.key) "
      "SELECT store, key FROM swept ORDER BY store, key",
      {INT8OID});
  std::uint64_t const count = statement.execute({Int64GetDatum(kBatch)});
  std::vector<std::pair<std::string, std::string>> swept(count);
  for (std::size_t i = 0; i < count; i++) swept[i] = {statement.rows().text(i, 1), statement.rows().text(i, 2)};
  std::vector<std::string_view> keys;
  for (std::size_t i = 0; i < count; i++) {
    keys.emplace_back(swept[i].second);
    if (i + 1 < count && swept[i + 1].first == swept[i].first) continue;
    outbox::enqueue_deletes(swept[i].first, keys, "lease ended");
    keys.clear();
  }
  return count;
}

// Rows whose key nobody should be writing to: those of leases that are over take their object along.
std::uint64_t remove_rows() {
  static pg::Statement statement(
      "WITH due AS MATERIALIZED (SELECT key, store FROM audiostore.temporary_objects "
      "  WHERE due_at <= clock_timestamp() AND (upload_until IS NULL OR "
      "    (state = 'leased' AND upload_until <= clock_timestamp())) "
      "  ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) "
      "DELETE FROM audiostore.temporary_objects t USING due WHERE t.key = due.key AND t.store = due.store",
      {INT8OID});
  return statement.execute({Int64GetDatum(kBatch)});
}

}  // namespace

Expired expire_batch() {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  Expired expired;
  for (auto* const part : {end_leases, sweep, remove_rows}) {
    auto const rows = static_cast<std::int64_t>(part());
    expired.rows += rows;
    expired.full = expired.full || rows == kBatch;
  }
  return expired;
}

TimePoint next_due() {
  pg::Spi const spi;
  pg::AsExtensionOwner const owner;
  static pg::Statement statement(
      "SELECT due_at FROM audiostore.temporary_objects WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1", {});
  if (statement.execute({}) == 0) return TimePoint::max();
  return pg::to_time_point(statement.rows().timestamp(0, 1));
}

std::int64_t expire_all(pg::Transactions& transactions) {
  std::int64_t rows = 0;
  while (true) {
    Expired const expired = transactions.run([] { return expire_batch(); });
    rows += expired.rows;
    if (expired.rows == 0) return rows;
  }
}

}  // namespace audiostore::temporary
