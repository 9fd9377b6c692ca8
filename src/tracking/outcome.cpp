#include "tracking/outcome.hpp"

#include "base/front_coding.hpp"
#include "foreign/catalog.hpp"
#include "outbox/enqueue.hpp"
#include "outbox/pack_relations.hpp"
#include "outbox/queue_table.hpp"
#include "pg/datum.hpp"
#include "pg/identity.hpp"
#include "pg/subtransaction.hpp"
#include "tracking/registry.hpp"

namespace audiostore::tracking {
namespace {

constexpr std::size_t kKeysAtOnce = 200'000;

// Rows can name stores that their owner has no business with: written before the table was tracked, or before the
// store was dropped or its use revoked.
bool may_use(const std::string& store, const Change& change) {
  std::string why;
  try {
    foreign::check_usage(foreign::find_store(store), change.owner);
    return true;
  } catch (const pg::SqlError& error) {
    why = error.message();
  }
  std::string const table = relation_name(change.relation);
  pg::call([&] {
    ereport(WARNING, errmsg("objects of store \"%s\" stay behind", store.c_str()),
            errdetail("Rows of \"%s\" that named that store let go of them, but for the table's owner: %s.",
                      table.c_str(), why.c_str()));
  });
  return false;
}

// A scan of a whole table with the latest snapshot, which the caller has locked against changes.
class TableScan {
 public:
  explicit TableScan(Relation table) {
    pg::call([&] {
      PushActiveSnapshot(GetLatestSnapshot());
      slot_ = table_slot_create(table, nullptr);
      scan_ = table_beginscan(table, GetActiveSnapshot(), 0, nullptr);
    });
  }
  ~TableScan() {
    if (pg::PgError::any_alive()) return;  // the abort that follows clears up
    table_endscan(scan_);
    ExecDropSingleTupleTableSlot(slot_);
    PopActiveSnapshot();
  }
  TableScan(const TableScan&) = delete;
  TableScan& operator=(const TableScan&) = delete;

  TupleTableSlot* next() {
    return pg::call([this]() -> TupleTableSlot* {
      CHECK_FOR_INTERRUPTS();
      return table_scan_getnextslot(scan_, ForwardScanDirection, slot_) ? slot_ : nullptr;
    });
  }

 private:
  TupleTableSlot* slot_ = nullptr;
  TableScanDesc scan_ = nullptr;
};

// What to go by when live_when cannot be compiled any more, because functions it calls go together with the table:
// every row counts as live then. The claim asks all other tables, so that nothing they hold is lost.
CompiledColumn compile_or_take_all(Relation table, const TrackedColumn& column) {
  std::optional<CompiledColumn> compiled;
  auto const failure = pg::attempt([&] { compiled = compile_column(table, column); });
  if (!failure) return *compiled;
  TrackedColumn all = column;
  all.live_when = "true";
  return compile_column(table, all);
}

void let_go_of_rows(Relation table, const Tracking& tracking, const char* reason) {
  CompiledColumn const compiled = compile_or_take_all(table, *tracking.column);
  Change const change{.relation = RelationGetRelid(table),
                      .key_column = tracking.column->key_column,
                      .owner = compiled.owner,
                      .stores_by_row = tracking.column->store_by_row(),
                      .reason = reason,
                      .purpose = Purpose::leaving};
  Keys keys;
  TableScan scan(table);
  RowReader reader(*tracking.column, compiled);
  auto const next = [&](LiveKey& live) {
    Reading const rights(compiled);
    for (;;) {
      TupleTableSlot* const row = scan.next();
      if (row == nullptr) return false;
      if (reader.read(row, live)) return true;
    }
  };
  for (LiveKey live; next(live);) {
    keys.add(live);
    if (keys.size() < kKeysAtOnce) continue;
    let_go(keys, change);
    keys.clear();
  }
  let_go(keys, change);
}

void let_go_of_trackings(Oid relation, std::string_view key_column, const char* reason) {
  auto const registry = Registry::current();
  Member const* const member = registry->find(relation);
  if (member == nullptr || !member->has_rows()) return;
  Relation const table = pg::call([relation] { return table_open(relation, AccessShareLock); });
  for (Tracking const& tracking : member->trackings) {
    if (key_column.empty() || tracking.column->key_column == key_column) let_go_of_rows(table, tracking, reason);
  }
  table_close(table, NoLock);
}

}  // namespace

void hold(Keys& keys, const Change& change) {
  keys.settle();
  for (auto const& group : keys.groups()) {
    if (group.keys.empty()) continue;
    if (change.stores_by_row) foreign::check_usage(foreign::find_store(group.store), change.owner);
    outbox::reference_keys(group.store, group.keys);
  }
}

void let_go(Keys& keys, const Change& change) {
  keys.settle();
  for (auto const& group : keys.groups()) {
    if (group.keys.empty() || (change.stores_by_row && !may_use(group.store, change))) continue;
    bool const table_goes = change.purpose == Purpose::leaving;
    Holders holders(
        {.store = group.store, .without = table_goes ? change.relation : InvalidOid, .purpose = change.purpose});
    std::vector<Holding> const found =
        holders.probe(group.keys, {.relation = change.relation, .key_column = change.key_column, .rows = group.rows});
    std::vector<std::string_view> gone;
    gone.reserve(group.keys.size());
    for (std::size_t i = 0; i < group.keys.size(); i++) {
      if (found[i] != Holding::live) gone.push_back(group.keys[i]);
    }
    if (!gone.empty()) outbox::enqueue_deletes(group.store, gone, change.reason);
  }
}

void let_go_of_table(Oid relation, const char* reason) { let_go_of_trackings(relation, {}, reason); }

void let_go_of_column(Oid relation, std::string_view key_column, const char* reason) {
  let_go_of_trackings(relation, key_column, reason);
}

void take_back_held_deletes(std::string_view store) {
  Keys pending;
  auto const read = [&](const char* name, auto&& add) {
    Relation const table = pg::call([name] { return table_open(pg::own_relation(name), AccessShareLock); });
    {
      TableScan scan(table);
      while (TupleTableSlot* const row = scan.next()) add(row);
    }
    table_close(table, NoLock);
  };
  auto const text = [](TupleTableSlot* row, AttrNumber column) {
    bool null = false;
    return pg::view(slot_getattr(row, column, &null));  // NOT NULL
  };
  read("operation_rows", [&](TupleTableSlot* row) {
    if (text(row, outbox::column::kind) != "delete") return;
    LiveKey const found{.key = text(row, outbox::column::key), .store = text(row, outbox::column::store)};
    if (store.empty() || found.store == store) pending.add(found);
  });
  read("operation_packs", [&](TupleTableSlot* row) {
    std::string_view const of = text(row, outbox::pack_column::store);
    if (!store.empty() && of != store) return;
    FrontCodedReader keys(text(row, outbox::pack_column::keys));
    while (keys.next()) pending.add({.key = keys.current(), .store = of});
  });
  pending.settle();
  for (auto const& group : pending.groups()) {
    Holders holders({.store = group.store, .purpose = Purpose::queueing});
    std::vector<Holding> const found = holders.probe(group.keys);
    std::vector<std::string_view> held;
    for (std::size_t i = 0; i < found.size(); i++) {
      if (found[i] == Holding::live) held.push_back(group.keys[i]);
    }
    outbox::reference_keys(group.store, held);
  }
}

}  // namespace audiostore::tracking
