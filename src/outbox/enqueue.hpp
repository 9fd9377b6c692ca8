// Queueing operations and checking references against pending deletes, straight on the heap and its indexes:
// these run inside users' statements, a hundred thousand keys at a time. Everything is part of the calling
// transaction; at its commit the worker is woken once.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "outbox/queue_table.hpp"

namespace audiostore::outbox {

enum class Kind { put, del, copy, move, set_class };

struct NewOperation {
  Kind kind;
  std::string_view store;
  std::string_view key;
  std::string_view target_store;            // copy, move
  std::string_view target_key;              // copy, move
  std::optional<std::string_view> payload;  // put
  std::string_view options_json = "{}";     // content_type, metadata, storage_class
  std::string_view reason;
  std::optional<TimestampTz> due = std::nullopt;  // delete: earliest time, instead of the end of the grace period
};

// Queues one operation and returns its id. A put or copy onto a key with a pending delete replaces that delete.
// A delete replaces a pending one of its key; one that is on its way stands, and its id is returned.
std::int64_t enqueue(const NewOperation& operation);

// Queues deletes of these keys (distinct and sorted in byte order). Keys with a pending delete are passed over.
// The caller has checked that no live row holds them. Returns how many were queued.
std::int64_t enqueue_deletes(std::string_view store, std::span<const std::string_view> keys, std::string_view reason);

// The calling transaction has rows that hold these keys (distinct, sorted) now: takes back their pending deletes.
// Throws SqlError 55006 when one of the deletes is on the wire or its outcome is unknown.
void reference_keys(std::string_view store, std::span<const std::string_view> keys);

// Takes back the pending delete of a key, from wherever it is queued.
TakenBack take_back_delete(std::string_view store, std::string_view key);

// Id of the delete of this key that is queued, under way or dead.
std::optional<std::int64_t> find_delete(std::string_view store, std::string_view key);

// SqlError 55006: a reference to, or an undelete of, an object that may be gone already.
[[noreturn]] void throw_being_deleted(std::string_view store, std::string_view key);

// Wakes the worker when this transaction commits; for changes that queue nothing but make work.
void wake_at_commit();

}  // namespace audiostore::outbox
