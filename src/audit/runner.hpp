// Carries out the audits that are due. One step() does what can be done without waiting; whoever owns it polls the HTTP
// client in between. The database worker keeps one for its life, CALL audiostore.run('audits') makes one until nothing is
// due.
//
//   claim (transaction)      cut into ranges    each range, page by page (lane.hpp): what came out, and how far it
//   due ──────────► running ──────────────────► has come, in one transaction     ──────► settle (transaction): done
//
// After a crash, or a fault of the store, the ranges go on behind their last committed page.
#pragma once

#include <list>
#include <memory>
#include <vector>

#include "audit/audits_table.hpp"
#include "pg/transactions.hpp"

namespace audiostore::audit {

struct AuditTotals {
  std::int64_t findings = 0;
  std::int64_t bytes = 0;
};

class AuditRunner {
 public:
  // Whether audits are repeated when their time comes again, or each is tried once.
  enum class Patience { none, waits };

  AuditRunner(pg::Transactions& transactions, Patience patience) : transactions_(transactions), patience_(patience) {}
  AuditRunner(const AuditRunner&) = delete;
  AuditRunner& operator=(const AuditRunner&) = delete;

  // Audits of processes that are gone become due again; once, at the start.
  void recover();
  // Returns when to call again at the latest (now: at once).
  TimePoint step(TimePoint now);
  bool busy() const { return !works_.empty(); }
  // The last step found nothing that was due and had not been tried by it before.
  bool idle() const { return works_.empty() && nothing_due_; }
  AuditTotals totals() const { return totals_; }
  // Gives all claims back.
  void stop();

 private:
  struct Strand {
    Range range;
    std::unique_ptr<Lane> lane;
  };
  struct Work {
    Audit audit;
    TimePoint leased_until{};
    std::shared_ptr<foreign::OpenStore> store;
    AuditSpec spec;
    std::unique_ptr<SortedRows> sorted;
    std::list<Strand> strands;
    bool over = false;  // or somebody cancelled or took it
    std::string note;
    AuditOutcome outcome;
  };

  void claim(TimePoint now);
  void begin(Work& work);
  void cut(Work& work, std::vector<Range>& ranges) const;
  void advance(Work& work, TimePoint now);
  void advance(Work& work, Strand& strand, TimePoint now);
  void judge(Work& work, Strand& strand, TimePoint now);
  void fail(Work& work, const Error& error, Lists lists);
  void settle_over();
  void extend(TimePoint now);
  TimePoint next_time(TimePoint now) const;

  pg::Transactions& transactions_;
  Patience patience_;
  std::list<Work> works_;
  std::vector<std::int64_t> has_run_;  // without patience: each once
  TimePoint next_look_{};
  TimePoint not_before_{};
  bool nothing_due_ = false;
  AuditTotals totals_;
};

// Every audit that is due, once, from inside a procedure: CALL audiostore.run('audits').
AuditTotals run_audits_now();

}  // namespace audiostore::audit
