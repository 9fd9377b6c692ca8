// What keeps the cache within its limits, in short transactions: segments whose entries have expired are emptied, what
// was used least recently goes when there is too much, segments that consist of dead rows mostly are emptied by copying
// what is alive. And hits and counters go from shared memory to their tables.
#pragma once

#include "cache/evict.hpp"

namespace audiostore::cache {

class Maintenance {
 public:
  explicit Maintenance(pg::Transactions& transactions) : transactions_(transactions) {}

  // What has expired, and all there is to look at if `thorough`. Returns how many entries went. Empty segments keep
  // some space for the next entries, or none.
  enum class Spare { some, none };
  std::int64_t run(bool thorough, Spare spare = Spare::some);

  // When there is something to do again at the latest; infinity: nothing lies in the cache. As of the last run() or
  // look(), which is cheap, and to be called inside a transaction.
  void look();
  TimestampTz next() const { return next_; }
  bool in_use() const { return in_use_; }

  // Hits and counters.
  void fold();

 private:
  struct Task {
    int segment = -1;
    Keep keep;
    bool moves = false;  // rows that stay
  };
  std::vector<Task> find_expired();
  std::vector<Task> find_all(Spare spare);
  static std::uint64_t find_spare(Spare spare);
  void give_back_spare(Spare spare);

  pg::Transactions& transactions_;
  TimestampTz retry_at_[kSegments] = {};
  TimestampTz next_ = DT_NOEND;
  bool in_use_ = false;
};

}  // namespace audiostore::cache
