// Leads rows over to objects that have really moved. One step() does what can be done without waiting; whoever owns it
// polls the HTTP client in between.
//
//   policy (transaction)           outbox                          look (none)            lead over (transaction)
//   move + copy queued ─────► copied, receipt written ─────► source still the same? ─────► row ► new key, new store
//                             (the operation goes with it)          │ no                   the old key is let go of,
//                                                                   └─► the copy goes      the move ends
//
// What would surprise you: nothing is undone anywhere. The move owns the copy (its to_key is tracked), so ending the
// move deletes the copy, unless a row was led over to it in the same transaction; and the old object goes as it always
// does when its last row lets go of it. Whatever dies between two steps leaves the row with the one or the other.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>

#include "base/task.hpp"
#include "foreign/stores.hpp"
#include "lifecycle/moves.hpp"
#include "pg/transactions.hpp"

namespace audiostore::lifecycle {

class HandOver {
 public:
  explicit HandOver(pg::Transactions& transactions) : transactions_(transactions) {}
  HandOver(const HandOver&) = delete;
  HandOver& operator=(const HandOver&) = delete;

  // Returns when to call again at the latest (now: at once).
  TimePoint step(TimePoint now);
  bool busy() const { return !looks_.empty(); }
  // The last step found nothing that it could do now.
  bool idle() const { return looks_.empty() && nothing_done_; }
  std::int64_t ended() const { return ended_; }
  // There is nothing to give back: nothing was claimed.
  void stop() { looks_.clear(); }

 private:
  // A source on its way to being looked at.
  struct Look {
    Move move;
    std::shared_ptr<foreign::OpenStore> store;
    Task<std::optional<store::ObjectInfo>> head;
    bool done = false;
    bool same = false;
    std::string error;
  };

  void find(TimePoint now);
  void look(Move move);
  static void take(Look& look);
  void finish();

  pg::Transactions& transactions_;
  std::list<Look> looks_;
  std::uint64_t receipts_ = 0;
  TimePoint next_find_{};
  TimePoint next_sweep_{};
  bool nothing_done_ = false;
  std::int64_t ended_ = 0;
};

// All that is done, from inside a procedure: part of CALL audiostore.run('outbox'). Returns how many moves ended.
std::int64_t hand_over_now();

}  // namespace audiostore::lifecycle
