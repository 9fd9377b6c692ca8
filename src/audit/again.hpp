// Findings of an audit, looked at again before something is done about them: the database, the store, the database once
// more, as in the audit itself. What waits for the store comes first, for all of them, so that nothing is locked
// meanwhile.
#pragma once

#include <string>
#include <vector>

#include "audit/owned.hpp"
#include "audit/recheck.hpp"
#include "foreign/stores.hpp"
#include "pg/statement.hpp"

namespace audiostore::audit {

struct Again {
  std::int64_t id = 0;  // of the finding
  Suspect suspect;
  bool suspicious = true;  // still, so far
  std::string why_not;     // else: why
};

// Findings of this kind that nothing has been done about, in the order of their keys.
std::vector<Again> unresolved(const OwnedAudit& audit, Finding finding, std::int64_t limit);

// The first look and what the store says.
void look_and_ask(const OwnedAudit& audit, foreign::OpenStore& store, std::vector<Again>& findings);

// The second look at some of them. Evidence of each, in their order.
std::vector<Evidence> look_again(const OwnedAudit& audit, std::span<Again> findings);

// As the owner of the extension.
void resolve(std::int64_t finding, const std::string& resolution);

}  // namespace audiostore::audit
