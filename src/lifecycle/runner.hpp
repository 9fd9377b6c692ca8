// Runs the policies that are due. One step() does what can be done without waiting; whoever owns it polls the HTTP
// client in between. The database worker keeps one for its life, CALL audiostore.run('policies') makes one until
// nothing is due.
//
//   claim (transaction)          work (none)              page by page (transaction each)         settle (transaction)
//   due ───────────► running ──► list a page, the next ──► lease kept? room? queue its deletes ──► due again later
//
// For rows there is nothing to wait for: each step works off one batch.
//
// What would surprise you: where a run is, is written down with each page that it acts on, so a run that a crash or a
// full queue ended goes on from there; but twice equals once, and nothing depends on it.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "lifecycle/policy.hpp"
#include "lifecycle/retention.hpp"
#include "monitor/running.hpp"
#include "pg/transactions.hpp"
#include "store/store.hpp"

namespace audiostore::lifecycle {

struct PolicyTotals {
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
};

class PolicyRunner {
 public:
  // Whether it waits for room in the outbox, or leaves the rest for the next run.
  enum class Patience { none, waits };

  PolicyRunner(pg::Transactions& transactions, Patience patience) : transactions_(transactions), patience_(patience) {}
  PolicyRunner(const PolicyRunner&) = delete;
  PolicyRunner& operator=(const PolicyRunner&) = delete;

  // Policies of processes that are gone become due again; once, at the start.
  void recover();
  // Returns when to call again at the latest (now: at once).
  TimePoint step(TimePoint now);
  bool busy() const { return !works_.empty(); }
  // The last step found nothing that was due and had not been run by it before.
  bool idle() const { return works_.empty() && nothing_due_; }
  PolicyTotals totals() const { return totals_; }
  // Gives all claims back.
  void stop();

 private:
  struct Work {
    ClaimedPolicy claimed;
    TimePoint leased_until{};
    std::optional<Retention> rows;  // else a listing:
    std::shared_ptr<foreign::OpenStore> store;
    Task<store::ListPage> listing;  // under way, or done and not taken yet
    bool listed = false;
    std::string after;                    // what the listing begins behind
    std::optional<store::ListPage> page;  // to be acted on
    TimePoint look_again{};               // not before: there was no room in the outbox
    bool waiting = false;
    bool over = false;  // or somebody removed, changed or took the policy
    PolicyOutcome outcome;
    monitor::Running running;
  };

  void begin(Work& work);
  void list(Work& work, std::string after);
  void advance(Work& work, TimePoint now);
  void take_page(Work& work);
  void act(Work& work, TimePoint now);
  bool act_in_transaction(Work& work, std::span<const store::ObjectInfo* const> expired);
  void end_page(Work& work);
  void act_on_rows(Work& work, TimePoint now);
  void fail(Work& work, std::string why);
  void settle_over();
  void extend(TimePoint now);
  void claim(TimePoint now);
  TimePoint next_time(TimePoint now) const;

  pg::Transactions& transactions_;
  Patience patience_;
  std::list<Work> works_;
  std::vector<std::int64_t> has_run_;  // without patience: each once
  TimePoint next_look_{};
  TimePoint not_before_{};
  bool nothing_due_ = false;
  PolicyTotals totals_;
};

// Every policy that is due, once, from inside a procedure: CALL audiostore.run('policies').
PolicyTotals run_policies_now();

}  // namespace audiostore::lifecycle
