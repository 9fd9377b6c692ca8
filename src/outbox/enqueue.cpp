// What users' statements do to the outbox. Grace periods count from the commit: see transaction_end.cpp.
//
// Deletes of a large statement become packs, which cost a hundredth of the rows. So that nobody waits for a whole
// statement's keys, one transaction at a time writes packs of a store (a lock that is asked for, never waited for); the
// others write rows meanwhile. Whoever writes rows looks into the packs afterwards, whoever writes packs looks at the
// rows: what is committed and says the same is replaced. Two transactions that did not see each other leave a row and
// a packed delete of one key: both are carried out or taken back, and the view operations shows the row.
#include "outbox/enqueue.hpp"

#include <vector>

#include "foreign/catalog.hpp"
#include "outbox/grace.hpp"
#include "outbox/pack_table.hpp"
#include "outbox/pending_summary.hpp"
#include "outbox/queue_table.hpp"
#include "outbox/transaction_end.hpp"
#include "pg/identity.hpp"
#include "pg/memory_scope.hpp"

namespace audiostore::outbox {
namespace {

// Statements that let go of fewer keys queue rows.
constexpr std::size_t kWorthPacking = 1000;
// So do larger ones while this many statements have packs of the store, as after a DELETE in a thousand batches whose
// store is out of reach: a statement looks into the packs of each other one, which would grow with their square.
constexpr int kMostStatements = 32;
constexpr std::size_t kWorthPackingAlways = 50'000;

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
  if (PackTable packs; !packs.empty()) packs.take_back(store, key);
}

bool stands(TakenBack found) { return found == TakenBack::running || found == TakenBack::in_doubt; }

// A row with a delete of this key has just been written: replaces what packs have of it, or gives way to it. Returns
// whether the row stays.
bool settle_with_packs(QueueTable& table, PackTable& packs, std::string_view store, std::string_view key) {
  if (!stands(packs.take_back(store, key))) return true;
  table.take_back_delete(store, key);
  table.drop_unstarted_writes(store, key);
  return false;
}

// What enqueue_deletes() writes, apart from the keys.
struct Deletes {
  std::string_view store;
  std::string_view reason;
  Grace grace;
  TimestampTz due;
};

std::int64_t enqueue_rows(QueueTable& table, const Deletes& deletes, std::span<const std::string_view> keys) {
  QueueRow const pattern = new_row(Kind::del, text_datum(deletes.store), deletes.reason, deletes.due);
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
    PackTable packs;
    if (packs.empty()) continue;
    for (std::size_t const i : packs.among(deletes.store, batch)) {
      if (!settle_with_packs(table, packs, deletes.store, batch[i])) queued--;
    }
  }
  note_queued(deletes.store, deletes.grace, first_id, last_id);
  return queued;
}

// Whether this transaction may write packs of the store, to its end.
bool may_pack(std::string_view store) {
  Oid const table = pg::own_relation("operation_packs");
  if (!OidIsValid(table)) return false;
  return pg::call([&] {
    LOCKTAG tag;
    auto const hash =
        DatumGetUInt32(hash_any(reinterpret_cast<const unsigned char*>(store.data()), static_cast<int>(store.size())));
    SET_LOCKTAG_OBJECT(tag, MyDatabaseId, table, hash, 0);
    return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
  });
}

bool few_statements(std::string_view store) { return PackTable().statements(store, kMostStatements) < kMostStatements; }

std::int64_t enqueue_packs(QueueTable& table, const Deletes& deletes, std::span<const std::string_view> keys) {
  PackTable packs(PackRelations::Use::change);
  std::int64_t const first_id = table.next_id_of(keys.size());
  packs.insert({.store = deletes.store,
                .reason = deletes.reason,
                .enqueued_at = GetCurrentTimestamp(),
                .not_before = deletes.due,
                .first_id = first_id},
               keys);
  auto queued = static_cast<std::int64_t>(keys.size());
  // Ours gives way to one that is under way already.
  auto const give_way = [&](std::size_t i) {
    packs.drop(first_id + static_cast<std::int64_t>(i));
    table.drop_unstarted_writes(deletes.store, keys[i]);
    queued--;
  };
  table.take_back_deletes(deletes.store, keys, [&](std::size_t i, TakenBack found) {
    if (stands(found)) give_way(i);
  });
  for (std::size_t const i : packs.among(deletes.store, keys, first_id)) {
    if (stands(packs.take_back(deletes.store, keys[i], first_id))) give_way(i);
  }
  note_queued(deletes.store, deletes.grace, first_id, first_id + static_cast<std::int64_t>(keys.size()) - 1);
  return queued;
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
  bool stayed = table.insert(std::span(&row, 1), operation.kind == Kind::del) == 1;
  PackTable packs;
  if (stayed && operation.kind == Kind::del && !packs.empty()) {
    stayed = settle_with_packs(table, packs, operation.store, operation.key);
  }
  note_queued(operation.store, grace, id, id);
  if (stayed) return id;
  if (auto const other = table.find_delete(operation.store, operation.key)) return *other;
  return packs.empty() ? id : packs.find(operation.store, operation.key).value_or(id);
}

std::int64_t enqueue_deletes(std::string_view store, std::span<const std::string_view> keys, std::string_view reason) {
  if (keys.empty()) return 0;
  pg::MemoryScope const memory("audiostore enqueue deletes");
  QueueTable table(Use::deletes);
  Grace const grace = grace_of(store);
  Deletes const deletes{.store = store, .reason = reason, .grace = grace, .due = grace.due_now()};
  bool const pack =
      keys.size() >= kWorthPacking && may_pack(store) && (keys.size() >= kWorthPackingAlways || few_statements(store));
  if (!pack) return enqueue_rows(table, deletes, keys);
  auto const too_long = [](std::string_view key) { return key.size() > kLongestPackedKey; };
  if (std::none_of(keys.begin(), keys.end(), too_long)) return enqueue_packs(table, deletes, keys);
  std::vector<std::string_view> packable;
  std::vector<std::string_view> others;
  for (std::string_view const key : keys) (too_long(key) ? others : packable).push_back(key);
  std::int64_t const queued = enqueue_rows(table, deletes, others);
  return queued + (packable.empty() ? 0 : enqueue_packs(table, deletes, packable));
}

TakenBack take_back_delete(std::string_view store, std::string_view key) {
  TakenBack const row = QueueTable(Use::lookup).take_back_delete(store, key);
  if (stands(row)) return row;
  PackTable packs;
  return packs.empty() ? row : std::max(row, packs.take_back(store, key));
}

std::optional<std::int64_t> find_delete(std::string_view store, std::string_view key) {
  if (auto const row = QueueTable(Use::lookup).find_delete(store, key)) return row;
  PackTable packs;
  return packs.empty() ? std::nullopt : packs.find(store, key);
}

void reference_keys(std::string_view store, std::span<const std::string_view> keys) {
  auto const may_be_queued = [&](std::string_view key) { return may_have_delete(store, key); };
  if (!may_have_packs() && std::none_of(keys.begin(), keys.end(), may_be_queued)) return;
  pg::MemoryScope const memory("audiostore reference");
  QueueTable table(Use::lookup);
  for (std::string_view const key : keys) {
    if (may_be_queued(key) && stands(table.take_back_delete(store, key))) throw_being_deleted(store, key);
  }
  PackTable packs;
  if (packs.empty()) return;
  if (keys.size() == 1) {
    if (stands(packs.take_back(store, keys.front()))) throw_being_deleted(store, keys.front());
    return;
  }
  for (std::size_t const i : packs.among(store, keys)) {
    if (stands(packs.take_back(store, keys[i]))) throw_being_deleted(store, keys[i]);
  }
}

}  // namespace audiostore::outbox
