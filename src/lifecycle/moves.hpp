// The table audiostore.moves: what tiering policies have under way. Each call is inside the caller's transaction, as
// the owner of the extension.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "pg/guard.hpp"

namespace audiostore::lifecycle {

struct Move {
  std::int64_t id = 0;
  std::int64_t policy = 0;
  std::int64_t operation = 0;
  std::string store = {};
  std::string key = {};
  std::string to_store = {};  // empty: the object stays, and its class changes
  std::string to_key = {};
  std::string storage_class = {};
  std::optional<std::int64_t> bytes = {};
  std::string etag = {};  // of the source when it was copied

  bool elsewhere() const { return !to_key.empty(); }
};

// An object as the tracked column names it.
struct ObjectName {
  std::string store;
  std::string key;
};

// Queues the operation and writes down what it is for.
void begin_move(const Move& move);

// For each of them, whether it is under way already.
std::vector<bool> under_way(std::span<const ObjectName> objects);

// How many a policy has under way, counted up to a limit.
std::size_t count_under_way(std::int64_t policy, std::size_t limit);

// Moves whose operation is done and whose rows are to be led over now.
std::vector<Move> find_done(std::size_t limit);
// The same again, those of them that are there still and that nobody else leads over, until the transaction ends.
std::vector<Move> lock_done(std::span<const std::int64_t> ids);
// When find_done() will find more, in seconds from now.
std::optional<double> seconds_until_retry();

// Ends them: copies that no row holds are deleted.
void end_moves(std::span<const Move> moves);
// They are tried again after a pause that grows, or after the shortest when there is no error.
void put_off(const Move& move, const std::string& error);

// Ends those whose operation was cancelled. Returns how many.
std::uint64_t end_cancelled();
// Ends those whose operation was given up and whose object no row holds any more: there is nothing to decide about.
std::uint64_t end_pointless();

}  // namespace audiostore::lifecycle
