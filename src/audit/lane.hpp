// One range of keys of one audit, page by page: listed, merged with the rows, and what is suspicious looked at again.
//
//   list ─► compare (transaction) ─► suspects? look at the database (same transaction, evidence.hpp)
//                                        │ still suspicious
//                                        ▼
//                         ask the store about each (no transaction) ─► look at the database again (transaction) ─► report
//
// Whoever owns it lets it go on when its turn() is ready: prepare() outside a transaction, judge() inside one, go_on()
// outside again. The next page is asked for meanwhile.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/candidate.hpp"
#include "audit/evidence.hpp"
#include "audit/page_merge.hpp"
#include "audit/recheck.hpp"
#include "audit/sorted_rows.hpp"
#include "foreign/stores.hpp"

namespace audiostore::audit {

struct AuditSpec {
  std::string store;
  MergeRules rules;
  Waiting waiting = Waiting::no;
};

enum class Lists { objects, unfinished_uploads };

// What is certain.
struct Report {
  Finding finding = Finding::orphaned_object;
  std::string key;
  std::optional<store::ObjectInfo> object;
  Oid relation = InvalidOid;
  std::string key_column;
  std::string detail;
};

// What a judgement brought, to be kept with where it came to.
struct Verdict {
  std::vector<Report> reports;
  std::uint64_t objects = 0;
  std::uint64_t bytes = 0;
  std::uint64_t rows = 0;
  std::uint64_t verified = 0;
  std::uint64_t unusable_keys = 0;  // that are no text here
  std::string resume;  // what is up to here is done
  bool over = false;   // the whole range is
  bool kept = false;   // there is something to write down; else it only needs another turn
};

class Lane {
 public:
  enum class Turn {
    waits,  // for the store, or for a table
    ready,
    over,
  };

  // Rows of tables without an index in order are shared by the lanes of an audit.
  Lane(const AuditSpec& spec, std::shared_ptr<foreign::OpenStore> store, KeySpan span, Lists lists, SortedRows& sorted);
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  Turn turn(TimePoint now) const;
  // When to look at its turn again, other than when a reply comes in.
  TimePoint look_again() const { return look_again_; }

  // Throws what the store said.
  void prepare();
  // Inside a transaction, as the owner of the extension.
  Verdict judge(TimePoint now);
  void go_on();
  void give_up() { at_ = At::over; }

  // Why some object could not be verified; empty: all could.
  const std::string& note() const { return note_; }

 private:
  enum class At { listing, comparing, suspecting, asking, confirming, over };

  void ask_for_page(const std::string& after);
  void take_page();
  void take_uploads(store::ListPage page);
  bool compare();
  void end_round(Verdict& verdict);
  bool suspect();
  bool confirm();
  void busy(TimePoint now) { look_again_ = now + std::chrono::milliseconds(500); }

  const AuditSpec& spec_;
  std::shared_ptr<foreign::OpenStore> store_;
  KeySpan span_;
  Lists lists_;
  SortedRows& sorted_;
  At at_ = At::listing;
  TimePoint look_again_{};
  Task<store::ListPage> listing_;
  bool page_coming_ = false;
  std::string page_after_;    // what the page that is coming begins behind
  std::string resume_;        // where the page that is here ends
  bool last_page_ = false;
  std::optional<PageMerge> merge_;
  std::vector<Candidate> candidates_;  // of the round, or those whose rows changed under us
  Suspects suspects_;
  Task<void> asking_;
  int tries_ = 0;
  std::vector<Report> reports_;   // of the round
  std::uint64_t verified_ = 0;    // in the round
  std::uint64_t unusable_keys_ = 0;  // of the page
  std::string note_;
};

}  // namespace audiostore::audit
