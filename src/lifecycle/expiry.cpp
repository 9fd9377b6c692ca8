#include "lifecycle/expiry.hpp"

#include <unordered_set>

#include "outbox/enqueue.hpp"
#include "outbox/pack_table.hpp"
#include "outbox/queue_table.hpp"
#include "pg/datum.hpp"
#include "pg/memory_scope.hpp"
#include "pg/statement.hpp"
#include "tracking/holders.hpp"

namespace audiostore::lifecycle {
namespace {

using Objects = std::vector<const store::ObjectInfo*>;

// A queued copy or move writes these keys.
std::unordered_set<std::string> targets_among(std::string_view store, const std::vector<std::string>& keys) {
  static pg::Statement targets(
      "SELECT DISTINCT target FROM audiostore.operation_rows WHERE target_store = $1 AND target = ANY ($2)",
      {TEXTOID, TEXTARRAYOID});
  targets.execute({pg::text_argument(store), pg::text_array(keys)});
  std::unordered_set<std::string> found;
  for (std::size_t i = 0; i < targets.rows().size(); i++) found.insert(targets.rows().text(i, 1));
  return found;
}

}  // namespace

std::vector<const store::ObjectInfo*> removable_of(std::string_view store,
                                                   std::span<const store::ObjectInfo* const> expired) {
  pg::MemoryScope const memory("audiostore expiry");
  // What is no text here is no key that the outbox could hold.
  Objects usable;
  std::vector<std::string_view> keys;
  std::vector<std::string> copies;
  for (store::ObjectInfo const* object : expired) {
    if (!pg::valid_text(object->key)) continue;
    usable.push_back(object);
    keys.push_back(object->key);
    copies.push_back(object->key);
  }
  if (usable.empty()) return {};
  tracking::Holders holders({.store = store, .without = InvalidOid, .purpose = tracking::Purpose::queueing});
  std::vector<tracking::Holding> held(keys.size(), tracking::Holding::none);
  if (!holders.empty()) held = holders.probe(keys);
  std::unordered_set<std::string> const targets = targets_among(store, copies);
  outbox::QueueTable queue(outbox::Use::write);
  outbox::PackTable packs;
  bool const packed = !packs.empty();
  Objects removable;
  for (std::size_t i = 0; i < usable.size(); i++) {
    if (held[i] != tracking::Holding::none || targets.contains(copies[i])) continue;
    // A put that is queued, by a transaction that has not committed even, makes the object young again.
    if (queue.find_delete(store, keys[i]) || queue.has_other(store, keys[i])) continue;
    if (packed && packs.find(store, keys[i])) continue;
    removable.push_back(usable[i]);
  }
  return removable;
}

void queue_deletes(const Policy& policy, std::span<const store::ObjectInfo* const> removable) {
  std::vector<std::string_view> keys;
  keys.reserve(removable.size());
  for (store::ObjectInfo const* object : removable) keys.emplace_back(object->key);
  outbox::enqueue_deletes(policy.store, keys, policy.name());
}

// What waits for its grace period is no work yet, and may be as much as it likes.
std::size_t operations_due(std::string_view store, std::size_t limit) {
  static pg::Statement due(
      "SELECT least($2, count(*) + (SELECT coalesce(sum(key_count), 0) FROM (SELECT key_count"
      " FROM audiostore.operation_packs WHERE store = $1 AND not_before <= clock_timestamp() LIMIT $2) p))"
      " FROM (SELECT FROM audiostore.operation_rows"
      " WHERE store = $1 AND not_before <= clock_timestamp() LIMIT $2) o",
      {TEXTOID, INT8OID});
  due.execute({pg::text_argument(store), Int64GetDatum(static_cast<std::int64_t>(limit))});
  return static_cast<std::size_t>(due.rows().bigint(0, 1));
}

std::int64_t bytes_of(std::span<const store::ObjectInfo* const> objects) {
  std::int64_t sum = 0;
  for (store::ObjectInfo const* object : objects) {
    // A store may claim any size.
    if (__builtin_add_overflow(sum, object->size, &sum)) return INT64_MAX;
  }
  return sum;
}

}  // namespace audiostore::lifecycle
