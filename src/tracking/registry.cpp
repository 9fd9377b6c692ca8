#include "tracking/registry.hpp"

#include <unordered_set>

#include "outbox/queue_table.hpp"
#include "pg/datum.hpp"
#include "pg/guard.hpp"
#include "pg/identity.hpp"
#include "pg/memory_scope.hpp"

namespace audiostore::tracking {
namespace {

namespace column {
enum : AttrNumber {
  relation = 1,
  key_column,
  store,
  store_column,
  size_column,
  live_when,
  tracked_at,
  checksum_column,
  count = checksum_column
};
}

struct State {
  std::shared_ptr<const Registry> registry;
  std::unordered_set<Oid> watched;  // relations whose changes make the registry stale
  bool stale = true;
  bool loading = false;
};

State& state() {
  static State state;
  return state;
}

// Runs wherever PostgreSQL accepts invalidations: takes note, nothing else.
void on_relcache_change(Datum, Oid relation) {
  State& now = state();
  if (!OidIsValid(relation) || now.loading || now.watched.contains(relation)) now.stale = true;
}

class OpenTable {
 public:
  OpenTable(Oid oid, LOCKMODE mode) : relation_(pg::call([=] { return table_open(oid, mode); })) {}
  ~OpenTable() { table_close(relation_, NoLock); }
  OpenTable(const OpenTable&) = delete;
  OpenTable& operator=(const OpenTable&) = delete;
  Relation get() const { return relation_; }

 private:
  Relation relation_;
};

class Scan {
 public:
  explicit Scan(Relation table)
      : table_(table),
        scan_(pg::call([table] { return systable_beginscan(table, InvalidOid, false, nullptr, 0, nullptr); })) {}
  ~Scan() { systable_endscan(scan_); }
  Scan(const Scan&) = delete;
  Scan& operator=(const Scan&) = delete;

  HeapTuple next() {
    return pg::call([this] {
      HeapTuple const tuple = systable_getnext(scan_);
      if (HeapTupleIsValid(tuple)) heap_deform_tuple(tuple, RelationGetDescr(table_), values_, nulls_);
      return tuple;
    });
  }
  Oid relation() const { return DatumGetObjectId(values_[column::relation - 1]); }
  std::string name(AttrNumber number) const {
    return nulls_[number - 1] ? std::string() : std::string(pg::name_view(values_[number - 1]));
  }
  std::string text(AttrNumber number) const {
    return nulls_[number - 1] ? std::string() : std::string(pg::view(values_[number - 1]));
  }

 private:
  Relation table_;
  SysScanDesc scan_;
  Datum values_[column::count] = {};
  bool nulls_[column::count] = {};
};

struct NewTuple {
  Datum values[column::count] = {};
  bool nulls[column::count] = {};

  NewTuple(const TrackedColumn& from, Datum tracked_at) {
    values[column::relation - 1] = ObjectIdGetDatum(from.relation);
    set_name(column::key_column, from.key_column);
    if (from.store.empty())
      nulls[column::store - 1] = true;
    else
      values[column::store - 1] = pg::varlena_datum(from.store);
    set_name(column::store_column, from.store_column);
    set_name(column::size_column, from.size_column);
    values[column::live_when - 1] = pg::varlena_datum(from.live_when);
    values[column::tracked_at - 1] = tracked_at;
    set_name(column::checksum_column, from.checksum_column);
  }
  void set_name(AttrNumber number, const std::string& name) {
    nulls[number - 1] = name.empty();
    if (!name.empty()) {
      values[number - 1] = pg::call([&] { return DirectFunctionCall1(namein, CStringGetDatum(name.c_str())); });
    }
  }
};

void changed(Relation table) {
  CacheInvalidateRelcache(table);
  CommandCounterIncrement();
}

Oid own_table() {
  Oid const table = pg::own_relation("tracked_columns");
  if (!OidIsValid(table)) {
    throw pg::SqlError(ERRCODE_UNDEFINED_TABLE, "relation \"audiostore.tracked_columns\" does not exist", {},
                       "Create the extension audiostore in this database.");
  }
  return table;
}

}  // namespace

const CompiledColumn& Tracking::compile(Relation relation) const {
  if (!compiled) compiled = std::make_shared<const CompiledColumn>(compile_column(relation, *column));
  return *compiled;
}

std::vector<Oid> relation_tree(Oid root) {
  std::vector<Oid> tree{root};
  std::unordered_set<Oid> seen{root};
  for (std::size_t i = 0; i < tree.size(); i++) {
    List* const children = pg::call(
        [parent = tree[i]] { return find_inheritance_children_extended(parent, false, NoLock, nullptr, nullptr); });
    ListCell* cell = nullptr;
    foreach (cell, children) {
      if (seen.insert(lfirst_oid(cell)).second) tree.push_back(lfirst_oid(cell));
    }
  }
  return tree;
}

void Registry::register_callbacks() { CacheRegisterRelcacheCallback(on_relcache_change, Datum{0}); }

bool Registry::stale() { return state().stale; }

std::shared_ptr<const Registry> Registry::current() {
  State& now = state();
  // Before CREATE EXTENSION there is no relation whose change could be noticed.
  if (now.registry && !now.stale && OidIsValid(now.registry->table_)) return now.registry;
  struct Loading {
    State& state;
    explicit Loading(State& of) : state(of) { state.loading = true; }
    ~Loading() { state.loading = false; }
  } const loading(now);
  constexpr int kMostTries = 10;  // an invalidation that comes while reading means: read again
  for (int i = 0; i < kMostTries; i++) {
    now.stale = false;
    try {
      auto const registry = load();
      std::unordered_set<Oid> watched{registry->table_};
      for (auto const& [relation, member] : registry->members_) watched.insert(relation);
      now.watched = std::move(watched);
      now.registry = registry;
    } catch (...) {
      now.stale = true;
      throw;
    }
    if (!now.stale) break;
  }
  return now.registry;
}

std::shared_ptr<Registry> Registry::load() {
  pg::MemoryScope const memory("audiostore registry");
  auto registry = std::make_shared<Registry>();
  registry->table_ = pg::own_relation("tracked_columns");
  if (!OidIsValid(registry->table_)) return registry;
  {
    OpenTable const table(registry->table_, AccessShareLock);
    Scan scan(table.get());
    while (HeapTupleIsValid(scan.next())) {
      registry->columns_.push_back(
          std::make_shared<TrackedColumn>(TrackedColumn{.relation = scan.relation(),
                                                        .key_column = scan.name(column::key_column),
                                                        .store = scan.text(column::store),
                                                        .store_column = scan.name(column::store_column),
                                                        .size_column = scan.name(column::size_column),
                                                        .checksum_column = scan.name(column::checksum_column),
                                                        .live_when = scan.text(column::live_when)}));
    }
  }
  for (auto const& column : registry->columns_) registry->add_tree(column);
  return registry;
}

void Registry::add_tree(const std::shared_ptr<const TrackedColumn>& column) {
  for (Oid const relation : relation_tree(column->relation)) {
    char const kind = pg::call([relation] { return get_rel_relkind(relation); });
    if (kind == '\0') continue;
    auto const [found, added] = members_.try_emplace(relation);
    if (added) order_.push_back(relation);
    found->second.relation = relation;
    found->second.kind = kind;
    found->second.trackings.push_back({.column = column, .compiled = nullptr, .empty_since = 0});
  }
}

const Member* Registry::find(Oid relation) const {
  auto const found = members_.find(relation);
  return found != members_.end() ? &found->second : nullptr;
}

const std::vector<Registry::Source>& Registry::sources(std::string_view store) const {
  if (auto const found = sources_.find(store); found != sources_.end()) return found->second;
  std::vector<Source> sources;
  for (Oid const relation : order_) {
    Member const& member = members_.at(relation);
    if (!member.has_rows()) continue;
    for (Tracking const& tracking : member.trackings) {
      if (tracking.column->store_by_row() || tracking.column->store == store) sources.push_back({relation, &tracking});
    }
  }
  return sources_.emplace(std::string(store), std::move(sources)).first->second;
}

void add_tracked_column(const TrackedColumn& added) {
  pg::MemoryScope const memory("audiostore tracked column");
  OpenTable const table(own_table(), RowExclusiveLock);
  NewTuple tuple(added, TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
  pg::call([&] {
    CatalogTupleInsert(table.get(), heap_form_tuple(RelationGetDescr(table.get()), tuple.values, tuple.nulls));
    changed(table.get());
  });
}

bool remove_tracked_column(Oid relation, std::string_view key_column) {
  Oid const own = pg::own_relation("tracked_columns");
  if (!OidIsValid(own)) return false;  // DROP EXTENSION
  pg::MemoryScope const memory("audiostore tracked column");
  OpenTable const table(own, RowExclusiveLock);
  bool removed = false;
  {
    Scan scan(table.get());
    while (HeapTuple const tuple = scan.next()) {
      if (scan.relation() != relation || scan.name(column::key_column) != key_column) continue;
      pg::call([&] { CatalogTupleDelete(table.get(), &tuple->t_self); });
      removed = true;
      break;
    }
  }
  if (removed) pg::call([&] { changed(table.get()); });
  return removed;
}

void replace_tracked_column(std::string_view old_key_column, const TrackedColumn& replacement) {
  pg::MemoryScope const memory("audiostore tracked column");
  OpenTable const table(own_table(), RowExclusiveLock);
  {
    Scan scan(table.get());
    while (HeapTuple const tuple = scan.next()) {
      if (scan.relation() != replacement.relation || scan.name(column::key_column) != old_key_column) continue;
      bool null = false;
      Datum const tracked_at =
          pg::call([&] { return heap_getattr(tuple, column::tracked_at, RelationGetDescr(table.get()), &null); });
      NewTuple updated(replacement, tracked_at);
      pg::call([&] {
        HeapTuple const changed_tuple = heap_form_tuple(RelationGetDescr(table.get()), updated.values, updated.nulls);
        CatalogTupleUpdate(table.get(), &tuple->t_self, changed_tuple);
      });
      break;
    }
  }
  pg::call([&] { changed(table.get()); });
}

}  // namespace audiostore::tracking
