// What users' statements do to the outbox. Grace periods count from the commit: see on_pre_commit().
#include "outbox/enqueue.hpp"

#include <vector>

#include "foreign/catalog.hpp"
#include "outbox/grace.hpp"
#include "outbox/queue_table.hpp"
#include "outbox/transaction_end.hpp"
#include "pg/memory_scope.hpp"

namespace audiostore::outbox {
namespace {

struct KindName {
  Kind kind;
  std::string_view name;
};
constexpr KindName kKindNames[] = {{Kind::put, "put"},
                                   {Kind::del, "delete"},
                                   {Kind::copy, "copy"},
                                   {Kind::move, "move"},
                                   {Kind::set_class, "set_class"}};

std::string_view kind_name(Kind kind) {
  for (auto const& entry : kKindNames) {
    if (entry.kind == kind) return entry.name;
  }
  return {};
}

// Text datums of one statement, in a memory context that goes with it.
Datum text_datum(std::string_view value) {
  return pg::call(
      [&] { return PointerGetDatum(cstring_to_text_with_len(value.data(), static_cast<int>(value.size()))); });
}

// Text values of one batch side by side in memory of ours: an allocation and a guarded call for each of a hundred
// thousand keys would be felt.
class TextArena {
 public:
  void reserve(std::span<const std::string_view> texts) {
    std::size_t octets = 0;
    for (std::string_view const text : texts) octets += size_of(text);
    if (memory_.size() * sizeof(std::int64_t) < octets) memory_.resize(octets / sizeof(std::int64_t) + 1);
    used_ = 0;
  }
  Datum add(std::string_view text) {
    char* const at = reinterpret_cast<char*>(memory_.data()) + used_;
    SET_VARSIZE(at, text.size() + VARHDRSZ);
    std::memcpy(VARDATA(at), text.data(), text.size());
    used_ += size_of(text);
    return PointerGetDatum(at);
  }

 private:
  static std::size_t size_of(std::string_view text) { return MAXALIGN(text.size() + VARHDRSZ); }
  std::vector<std::int64_t> memory_;
  std::size_t used_ = 0;
};

QueueRow new_row(Kind kind, Datum store, std::string_view reason, TimestampTz due) {
  QueueRow row;
  row.set(column::enqueued_at, TimestampTzGetDatum(GetCurrentTimestamp()));
  row.set(column::not_before, TimestampTzGetDatum(due));
  row.set(column::attempts, Int32GetDatum(0));
  row.set(column::in_doubt, BoolGetDatum(false));
  row.set(column::kind, text_datum(kind_name(kind)));
  row.set(column::state, text_datum("pending"));
  row.set(column::store, store);
  if (!reason.empty()) row.set(column::reason, text_datum(reason));
  return row;
}

// The key that the operation writes or removes last decides which pending delete it makes pointless.
void replace_pending_delete(QueueTable& table, std::string_view store, std::string_view key) {
  // A delete on the wire or in doubt stays: this operation waits behind it, and then writes the key again.
  table.take_back_delete(store, key);
}

}  // namespace

void throw_being_deleted(std::string_view store, std::string_view key) {
  throw pg::SqlError(ERRCODE_OBJECT_IN_USE,
                     "object \"" + std::string(key) + "\" of store \"" + std::string(store) + "\" is being deleted",
                     "A delete of this key is on its way to the store, or may have reached it.",
                     "Retry when the delete is done (see audiostore.pending_operations), or use another key.");
}

std::int64_t enqueue(const NewOperation& operation) {
  foreign::StoreHandle const handle = foreign::find_store(operation.store);
  foreign::claim_if_unclaimed(handle);
  pg::MemoryScope const memory("audiostore enqueue");
  QueueTable table(Use::write);
  Grace const grace = operation.kind == Kind::del && !operation.due ? grace_of(operation.store) : Grace{};
  TimestampTz const due = operation.due.value_or(grace.due_now());
  QueueRow row = new_row(operation.kind, text_datum(operation.store), operation.reason, due);
  std::int64_t const id = table.next_ids(1).front();
  row.set(column::id, Int64GetDatum(id));
  row.set(column::key, text_datum(operation.key));
  if (operation.kind == Kind::copy || operation.kind == Kind::move) {
    row.set(column::target_store, text_datum(operation.target_store));
    row.set(column::target, text_datum(operation.target_key));
    replace_pending_delete(table, operation.target_store, operation.target_key);
  } else if (operation.kind == Kind::set_class) {
    row.set(column::target, text_datum(operation.target_key));
  } else if (operation.kind == Kind::put) {
    replace_pending_delete(table, operation.store, operation.key);
  }
  if (operation.payload) row.set(column::payload, text_datum(*operation.payload));
  if (operation.options_json != "{}" && !operation.options_json.empty()) {
    std::string const json(operation.options_json);
    row.set(column::options, pg::call([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.c_str())); }));
  }
  bool const stayed = table.insert(std::span(&row, 1), operation.kind == Kind::del) == 1;
  note_queued(operation.store, grace, id, id);
  if (stayed) return id;
  return table.find_delete(operation.store, operation.key).value_or(id);
}

std::int64_t enqueue_deletes(std::string_view store, std::span<const std::string_view> keys, std::string_view reason) {
  if (keys.empty()) return 0;
  pg::MemoryScope const memory("audiostore enqueue deletes");
  QueueTable table(Use::deletes);
  Grace const grace = grace_of(store);
  QueueRow const pattern = new_row(Kind::del, text_datum(store), reason, grace.due_now());
  std::int64_t queued = 0;
  std::int64_t first_id = 0;
  std::int64_t last_id = 0;
  std::vector<QueueRow> rows;
  TextArena texts;
  constexpr std::size_t kRowsAtOnce = 1000;
  for (std::size_t first = 0; first < keys.size(); first += kRowsAtOnce) {
    auto const batch = keys.subspan(first, std::min(kRowsAtOnce, keys.size() - first));
    rows.assign(batch.size(), pattern);
    texts.reserve(batch);
    std::vector<std::int64_t> const ids = table.next_ids(batch.size());
    if (first_id == 0) first_id = ids.front();
    last_id = ids.back();
    for (std::size_t i = 0; i < batch.size(); i++) {
      rows[i].set(column::id, Int64GetDatum(ids[i]));
      rows[i].set(column::key, texts.add(batch[i]));
    }
    queued += table.insert(rows, true);
  }
  note_queued(store, grace, first_id, last_id);
  return queued;
}

void reference_keys(std::string_view store, std::span<const std::string_view> keys) {
  if (keys.empty()) return;
  pg::MemoryScope const memory("audiostore reference");
  QueueTable table(Use::lookup);
  for (std::string_view const key : keys) {
    TakenBack const found = table.take_back_delete(store, key);
    if (found == TakenBack::running || found == TakenBack::in_doubt) throw_being_deleted(store, key);
  }
}

}  // namespace audiostore::outbox
