// Packs as statements meet them: large ones write them, others take single keys back. Nobody waits for another
// statement here, only for a claim or a change of the pack that is being committed.
//
// Whoever takes a key back writes a hole, and then looks at the pack once more; a claim marks the pack, and then looks
// for holes. One of the two always sees the other, as with rows (claim.cpp).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "outbox/pack_relations.hpp"
#include "outbox/queue_table.hpp"

namespace audiostore::outbox {

class PackTable {
 public:
  explicit PackTable(PackRelations::Use use = PackRelations::Use::lookup) : relations_(use) {}

  // There are none, not even in a transaction in progress.
  bool empty() const { return relations_.empty(); }

  struct NewPacks {
    std::string_view store;
    std::string_view reason;
    TimestampTz enqueued_at = 0;
    TimestampTz not_before = 0;
    std::int64_t first_id = 0;  // of as many as there are keys
  };
  // How many statements have packs of this store, counted up to a limit: each makes lookups dearer.
  int statements(std::string_view store, int limit);

  // For keys that are distinct, in byte order, and at most kLongestPackedKey long.
  void insert(const NewPacks& packs, std::span<const std::string_view> keys);

  // Takes back the pending deletes of this key, but for those that the packs of one statement have.
  TakenBack take_back(std::string_view store, std::string_view key, std::int64_t except_statement = 0);

  // Which of these keys (in byte order) packs of other statements have, committed or not: indexes.
  std::vector<std::size_t> among(std::string_view store, std::span<const std::string_view> keys,
                                 std::int64_t except_statement = 0);

  // Makes one delete undone.
  void drop(std::int64_t id);

  // Id of a delete of this key, pending, running or dead, that is committed or our own.
  std::optional<std::int64_t> find(std::string_view store, std::string_view key);
  // The same with an id below this one, and not dead.
  bool any_before(std::string_view store, std::string_view key, std::int64_t id);

 private:
  PackRelations relations_;
};

}  // namespace audiostore::outbox
