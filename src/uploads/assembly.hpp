// Resumable uploads on their way from chunks to an object.
#pragma once

#include <cstdint>

#include "pg/transactions.hpp"

namespace audiostore::uploads {

// Takes each of them one step further where it can go, in a transaction; returns how many went.
std::int64_t advance_uploads(pg::Transactions& transactions);

}  // namespace audiostore::uploads
