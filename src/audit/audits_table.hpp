// The tables audiostore.audits, audit_ranges and audit_findings as the worker uses them: claim, keep, settle, each inside
// the caller's transaction, as the owner of the extension. A claim is a lease; whoever lost it, because the audit was
// cancelled or taken over, is told by the next keep.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "audit/lane.hpp"

namespace audiostore::audit {

struct Range {
  std::int32_t number = 0;
  Lists lists = Lists::objects;
  KeySpan span;  // its `after` is where to go on
};

struct Audit {
  std::int64_t id = 0;
  std::string store;
  std::string prefix;
  Oid owner = InvalidOid;
  MergeRules rules;
  std::int64_t run = 0;  // its entry in audiostore.runs

  std::string name() const { return "audit " + std::to_string(id); }
};

// Audits of processes that are gone become due again.
void release_audits_of_the_dead();

// Queues the audits of policies that are due, but for those whose last one has not ended.
void queue_audits_of_policies();

// Audits that are due, longest due first, but for those with these ids.
std::vector<Audit> claim_audits(std::span<const std::int64_t> except, std::size_t limit, Milliseconds lease);

// When the next one, or a policy, is due, in seconds from now; none when there is none.
std::optional<double> seconds_until_due_audit(std::span<const std::int64_t> except);

// Ranges that are not done; none at all when the audit has not been cut yet.
std::optional<std::vector<Range>> ranges_of(const Audit& audit);
void add_ranges(const Audit& audit, std::span<const Range> ranges, std::int64_t objects_expected);
// As many objects as the last complete audit of this store and prefix saw.
std::optional<std::int64_t> objects_seen_before(const Audit& audit);

// Prolongs the lease. False: stop, the audit is not ours any more.
bool keep_audit(const Audit& audit, Milliseconds lease);
// The same, and writes down what came out.
bool keep_verdict(const Audit& audit, const Range& range, const Verdict& verdict, Milliseconds lease);

struct AuditOutcome {
  enum class Kind {
    done,
    put_off,      // by a fault of the store: later, from where it is, a few times
    interrupted,  // at once, from where it is
    failed,
  };
  Kind kind = Kind::done;
  std::string error;  // done: what could not be judged
};

// Writes down the end, and raises or clears the alerts. Returns the findings of an audit that is done.
std::int64_t settle_audit(const Audit& audit, const AuditOutcome& outcome);

}  // namespace audiostore::audit
