// The part of a claim that is about packs.
#pragma once

#include "outbox/claim.hpp"

namespace audiostore::outbox {

// Adds the deletes of packs that are due. `only_deletes`: no operation of another kind is queued.
void claim_packs(const ClaimRequest& request, bool only_deletes, Claim& claim);

}  // namespace audiostore::outbox
