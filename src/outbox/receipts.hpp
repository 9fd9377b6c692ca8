// Receipts of operations that somebody waits for: written in the transaction in which the operation goes, so that
// "done" and "cancelled" can be told apart. An operation asks for one with the member "receipt" of its options.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace audiostore::outbox {

inline constexpr const char* kWithReceipt = R"({"receipt": true})";

// Inside the caller's transaction.
void write_receipt(std::int64_t operation, std::string_view etag);
void remove_receipts(const std::vector<std::int64_t>& operations);

// Grows when this process writes receipts: a cheap look for those who wait for them in the same process.
std::uint64_t receipts_written();

}  // namespace audiostore::outbox
