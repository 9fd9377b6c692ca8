// Claims: one caller generates what is missing, the others wait for its put.
#pragma once

#include <cstdint>

namespace audiostore::cache {

// This transaction has put the key: if the session has claimed it, the claim goes with the commit.
void note_claim_done(std::uint64_t hash);

}  // namespace audiostore::cache
