// The drain: claims what is due, has it carried out by the stores, settles it; the three overlap. One step() does
// what can be done without waiting; whoever owns it polls the HTTP client in between. The database worker keeps
// one for its life, CALL audiostore.run('outbox') makes one until nothing is due.
//
//            claim (transaction)          work (none)              settle (transaction)
//   pending ───────────────────► running ────────────► done ─────► row deleted
//      ▲      live row: row deleted │                    └ failed ► pending again, later; or dead
//      └── row in progress ─────────┘
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "http/client.hpp"
#include "monitor/running.hpp"
#include "outbox/breaker.hpp"
#include "outbox/claim.hpp"
#include "outbox/execute.hpp"
#include "outbox/settle.hpp"
#include "pg/transactions.hpp"

namespace audiostore::outbox {

struct Drained {
  std::int64_t operations = 0;  // done or found to be needless
  std::int64_t bytes = 0;       // put
};

class Drain {
 public:
  Drain(pg::Transactions& transactions, Random& random) : transactions_(transactions), random_(random) {}
  ~Drain();
  Drain(const Drain&) = delete;
  Drain& operator=(const Drain&) = delete;

  // Settles, claims and starts what is due. Returns when to call again at the latest (now: at once).
  TimePoint step(TimePoint now);
  // Claims are held: requests are in flight or about to be.
  bool busy() const;
  // The last step found nothing that it could do now.
  bool idle() const { return !busy() && nothing_due_ && looked_since_change_; }
  // So far.
  Drained drained() const { return drained_; }
  // Gives all claims back; a delete already sent stays in doubt.
  void stop();
  // Claims of processes that are gone become due again; once, at the start.
  void recover();

 private:
  // A claimed operation that failed in a way that may be the store's fault: the probe tells.
  struct Suspect {
    Operation operation;
    Error error;
  };
  struct Slot {
    std::string name;
    TimestampTz next = DT_NOEND;  // earliest operation, as of the last look
    Position position;
    Position pack_position;
    TimePoint not_again_before{};  // nothing claimable was found although something is due
    Breaker breaker;
    Breaker claims;  // trips when claiming itself fails, which a probe of the store says nothing about
    std::shared_ptr<foreign::OpenStore> open;
    std::deque<Operation> ready;  // claimed, not started
    std::vector<Suspect> suspects;
    TimePoint ready_until{};  // lease of what is ready or suspect
    std::size_t in_flight = 0;
    bool probing = false;
    bool alerted = false;  // of its pause
    bool proven = false;   // something has succeeded
    bool judged = false;   // rows could be asked when it claimed last
  };
  struct Running {
    Batch batch;
    Slot* slot = nullptr;
    bool probe = false;
    std::optional<Error> probe_error;
    bool done = false;
  };

  // What has to be written down yet.
  struct Unsettled {
    std::vector<Outcome> outcomes;
    std::vector<PackOutcome> packs;
    std::vector<std::string> recovered;                     // stores
    std::vector<std::string> judged;                        // stores whose rows can be asked
    std::vector<std::pair<std::string, std::string>> died;  // store and error
    bool empty() const {
      return outcomes.empty() && packs.empty() && recovered.empty() && judged.empty() && died.empty();
    }
  };

  // A pack that is claimed: it is settled when what became of all its keys is known.
  struct ClaimedPack {
    std::size_t keys = 0;
    PackOutcome outcome;
  };

  void settle_finished(TimePoint now);
  void note(std::vector<Outcome> outcomes);
  void settle_noted();
  void outcomes_of(Running& running, TimePoint now, std::vector<Outcome>& outcomes);
  Outcome failure(const store::Common& common, const Operation& operation, const Error& error, TimePoint now);
  void suspects_settled(Slot& slot, bool store_is_broken, TimePoint now, std::vector<Outcome>& outcomes);
  void pause(Slot& slot, const Error& error, TimePoint now);
  void claims_failed(Slot& slot, const std::string& why, TimePoint now);
  void look(TimePoint now);
  TimePoint look_again() const;
  void claim_for(Slot& slot, TimePoint now);
  void open(Slot& slot);
  void start_ready(Slot& slot);
  void start(Slot& slot, std::vector<Operation> operations);
  void start_probe(Slot& slot);
  void extend(TimePoint now);
  void tell_progress();
  TimePoint next_time(TimePoint now) const;
  std::size_t capacity(const Slot& slot) const;

  pg::Transactions& transactions_;
  Random& random_;
  std::map<std::string, Slot, std::less<>> slots_;
  std::list<Running> running_;
  std::map<std::int64_t, ClaimedPack> packs_;
  Unsettled unsettled_;
  Drained drained_;
  monitor::Running progress_;  // from the first operation of a drain to its last
  std::int64_t drained_before_ = 0;
  TimePoint looked_at_{};
  TimePoint summarizes_at_{};
  TimePoint::duration look_took_{};
  TimePoint gathers_until_{};  // what is queued until then is claimed together
  bool nothing_due_ = false;
  bool looked_since_change_ = false;
  bool look_wanted_ = false;
};

// Everything that is due, from inside a procedure: CALL audiostore.run('outbox').
Drained drain_now();

}  // namespace audiostore::outbox
