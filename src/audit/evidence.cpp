#include "audit/evidence.hpp"

#include <limits>

#include "audit/snapshot.hpp"
#include "outbox/pack_table.hpp"
#include "outbox/queue_table.hpp"
#include "pg/memory_scope.hpp"
#include "pg/statement.hpp"

namespace audiostore::audit {
namespace {

constexpr std::size_t kMostRows = 8;  // of one key in one table

using Look = std::vector<Evidence>;

std::size_t index_of(std::span<const std::string> keys, std::string_view key) {
  return static_cast<std::size_t>(std::lower_bound(keys.begin(), keys.end(), key) - keys.begin());
}

// False when a table is busy.
bool look_at_rows(std::string_view store, std::span<const std::string> keys, Waiting waiting, Look& found) {
  auto const registry = tracking::Registry::current();
  RegisteredSnapshot const snapshot;
  for (auto const& source : registry->sources(store)) {
    TrackedTable table(source, store);
    auto const state = table.open(waiting);
    if (state == TrackedTable::State::busy || tracking::Registry::stale()) return false;
    if (state == TrackedTable::State::gone) continue;
    table.read_checksums(true);
    std::size_t at = keys.size();
    std::size_t rows = 0;
    table.look_up(keys, snapshot.get(), [&](const FoundRow& row) {
      std::size_t const index = index_of(keys, row.key);
      rows = index == at ? rows + 1 : 1;
      at = index;
      if (rows > kMostRows) return true;
      found[index].rows.push_back({.relation = source.relation,
                                   .key_column = table.key_column(),
                                   .tid = row.tid,
                                   .xmin = row.xmin,
                                   .size = row.size,
                                   .checksum = row.checksum});
      return true;
    });
  }
  return true;
}

void look_at_holders(std::string_view store, std::span<const std::string> keys, Look& found) {
  tracking::Holders holders({.store = store, .purpose = tracking::Purpose::queueing});
  if (holders.empty()) return;
  std::vector<std::string_view> const views(keys.begin(), keys.end());
  auto const held = holders.probe(views);
  for (std::size_t i = 0; i < keys.size(); i++) found[i].holding = held[i];
}

// Operations of the keys as the latest snapshot has them; the dead ones among them hold nobody up.
struct Queued {
  std::string key;
  bool is_delete;
  bool dead;
  std::string name;
};

std::vector<Queued> read(pg::Statement& statement, std::string_view store, const std::vector<std::string>& keys) {
  statement.read_latest({pg::text_argument(store), pg::text_array(keys)});
  pg::Rows const rows = statement.rows();
  std::vector<Queued> queued;
  for (std::size_t i = 0; i < rows.size(); i++) {
    queued.push_back({.key = rows.text(i, 1),
                      .is_delete = rows.text(i, 2) == "delete",
                      .dead = rows.text(i, 3) == "dead",
                      .name = rows.text(i, 2) + " " + std::to_string(rows.bigint(i, 4))});
  }
  return queued;
}

void add(const std::vector<Queued>& queued, std::span<const std::string> keys, std::vector<std::size_t>& live,
         std::vector<std::size_t>& dead, Look& found) {
  for (Queued const& operation : queued) {
    std::size_t const index = index_of(keys, operation.key);
    if (operation.dead) {
      found[index].dead = operation.name;
      dead.push_back(index);
    } else {
      (operation.is_delete ? found[index].delete_queued : found[index].other_queued) = true;
      live.push_back(index);
    }
  }
}

// Deletes of large statements.
void look_into_packs(std::string_view store, std::span<const std::string> keys, Look& found) {
  outbox::PackTable packs;
  if (keys.empty() || packs.empty()) return;
  std::vector<std::string_view> const views(keys.begin(), keys.end());
  for (std::size_t const i : packs.among(store, views)) {
    if (packs.any_before(store, keys[i], std::numeric_limits<std::int64_t>::max())) {
      found[i].delete_queued = true;
    } else if (auto const dead = packs.find(store, keys[i])) {
      found[i].dead = "delete " + std::to_string(*dead);
    }
  }
}

// The queue is asked key by key, rows of transactions in progress included; what it has is looked at more closely, as
// a dead operation is there and yet not queued.
void look_at_operations(std::string_view store, std::span<const std::string> keys, Look& found) {
  static pg::Statement own(
      "SELECT o.key, o.kind, o.state, o.id FROM audiostore.operation_rows o WHERE o.store = $1 AND o.key = ANY ($2)"
      " AND o.kind = 'delete'"
      " UNION ALL SELECT o.key, o.kind, o.state, o.id FROM audiostore.operation_rows o WHERE o.store = $1"
      " AND o.key = ANY ($2) AND o.kind <> 'delete'",
      {TEXTOID, TEXTARRAYOID});
  static pg::Statement targets(
      "SELECT o.target, o.kind, o.state, o.id FROM audiostore.operation_rows o"
      " WHERE o.target_store = $1 AND o.target = ANY ($2)",
      {TEXTOID, TEXTARRAYOID});
  std::vector<std::string> suspicious;
  std::vector<bool> deletes(keys.size());
  std::vector<bool> others(keys.size());
  outbox::QueueTable queue(outbox::Use::write);
  for (std::size_t i = 0; i < keys.size(); i++) {
    deletes[i] = queue.find_delete(store, keys[i]).has_value();
    others[i] = queue.has_other(store, keys[i]);
    if (deletes[i] || others[i]) suspicious.push_back(keys[i]);
  }
  look_into_packs(store, keys, found);
  std::vector<std::size_t> live;
  std::vector<std::size_t> dead;
  add(read(targets, store, {keys.begin(), keys.end()}), keys, live, dead, found);
  if (suspicious.empty()) return;
  add(read(own, store, suspicious), keys, live, dead, found);
  for (std::size_t i = 0; i < keys.size(); i++) {
    if (!deletes[i] && !others[i]) continue;
    bool const only_dead = std::count(dead.begin(), dead.end(), i) > 0 && std::count(live.begin(), live.end(), i) == 0;
    if (only_dead) continue;
    // A transaction in progress is about to queue it, or it is done by now: either way it is not for us to judge yet.
    if (deletes[i]) found[i].delete_queued = true;
    if (others[i]) found[i].other_queued = true;
  }
}

}  // namespace

bool RowEvidence::same_row(const RowEvidence& other) const {
  return relation == other.relation && key_column == other.key_column && xmin == other.xmin &&
         ItemPointerEquals(const_cast<ItemPointer>(&tid), const_cast<ItemPointer>(&other.tid));
}

std::optional<std::vector<Evidence>> look(std::string_view store, std::span<const std::string> keys, Waiting waiting) {
  pg::MemoryScope const memory("audiostore audit evidence");
  constexpr int kMostTries = 10;  // tables may be tracked, created or dropped while we look
  for (int i = 0; i < kMostTries; i++) {
    Look found(keys.size());
    if (!look_at_rows(store, keys, waiting, found)) {
      if (!tracking::Registry::stale()) return std::nullopt;
      continue;
    }
    look_at_holders(store, keys, found);
    look_at_operations(store, keys, found);
    return found;
  }
  return std::nullopt;
}

}  // namespace audiostore::audit
