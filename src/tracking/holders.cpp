// A probe is an index scan with SnapshotDirty: it meets rows that are committed, ours, or in progress, and says of
// each whether somebody is inserting or deleting it.
//
// Such a scan can miss a row that stays: an index scan reads its entries first and the rows afterwards, and in between
// another transaction may move the row to a place whose entry came too late, and commit. The scan then finds the old
// version dead and never learns of the new one. For `queueing` that is harmless, as it only leads to one more check.
// For `claiming` it would delete the object of a live row. So where a scan met no other than dead rows, and one of them
// may have been moved meanwhile (row_versions.hpp), a second one with a new MVCC snapshot has the last word: a mover
// that had committed by then is visible to it, and any version that it sees cannot be overlooked.
#include "tracking/holders.hpp"

#include "monitor/wake.hpp"
#include "pg/guard.hpp"
#include "pg/identity.hpp"
#include "pg/memory_scope.hpp"
#include "tracking/registry.hpp"
#include "tracking/row.hpp"
#include "tracking/row_versions.hpp"

namespace audiostore::tracking {
namespace {

// The tables changed while we were about to open them.
struct RegistryChanged {};

enum class Opened { open, busy, gone };

// Locks and opens a relation, waiting for nobody. Inside pg::call.
Opened open_unless_busy(Oid oid, Relation& relation) {
  if (!ConditionalLockRelationOid(oid, AccessShareLock)) return Opened::busy;
  relation = try_relation_open(oid, NoLock);
  if (relation != nullptr) return Opened::open;
  UnlockRelationOid(oid, AccessShareLock);
  return Opened::gone;
}

// One tracked column of one table.
class Probe {
 public:
  explicit Probe(const Holders::Scope& scope) : scope_(scope) {}
  ~Probe() { close(); }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  // `ours`: the calling statement changed this table, so it has it locked until its transaction ends.
  Opened open(const Registry::Source& source, bool ours = false) {
    ours_ = ours;
    if (known_empty(*source.tracking)) return Opened::gone;
    std::uint64_t const before = monitor::rows_added();
    Opened const state = pg::call([&] { return open_table(source.relation); });
    if (state != Opened::open) return state;
    if (Registry::stale()) throw RegistryChanged{};
    if (pg::call([this] { return going(); })) return Opened::gone;
    if (pg::call([this] { return has_no_rows(); })) {
      if (source.tracking->column->store_by_row()) source.tracking->empty_since = before;
      return Opened::gone;
    }
    tracking_ = source.tracking;
    compiled_ = &tracking_->compile(table_);
    if (!OidIsValid(compiled_->index)) return Opened::open;
    return pg::call([this] {
      Opened const index = open_unless_busy(compiled_->index, index_);
      if (index == Opened::open) start_index_scan();
      return index == Opened::busy ? Opened::busy : Opened::open;
    });
  }

  Holding ask(std::string_view key, std::uint32_t released = 0) {
    if (index_ != nullptr && released > 0 && !pg::call([&] { return more_entries_than(released, key); })) {
      return Holding::none;
    }
    prepare_rows();
    Reading const rights(*compiled_);
    return pg::call([&] {
      if (index_ == nullptr) return search_table(key);
      set_key(key);
      return search_index(key);
    });
  }

  // The same for many keys in byte order: raises `found` where this table says more. `released` has a number for each
  // key, or is empty.
  void ask_all(std::span<const std::string_view> keys, std::span<const std::uint32_t> released,
               std::vector<Holding>& found) {
    std::size_t const walked = keys.size() >= kWorthWalking && walkable() ? walk_all(keys, released, found) : 0;
    for (std::size_t i = walked; i < keys.size(); i++) {
      if (found[i] != Holding::live) found[i] = std::max(found[i], ask(keys[i], released.empty() ? 0 : released[i]));
    }
  }

 private:
  static constexpr std::size_t kWorthWalking = 32;

  // Inside pg::call, as what follows.
  Opened open_table(Oid relation) {
    if (ours_) {
      table_ = table_open(relation, NoLock);
      return Opened::open;
    }
    return open_unless_busy(relation, table_);
  }

  bool going() const {
    return scope_.purpose == Purpose::leaving && CheckRelationLockedByMe(table_, AccessExclusiveLock, true);
  }

  // Most databases use few of the tables that are tracked for every store: those that never had a row are not worth
  // opening an index. The file grows before a row goes in, and shrinks under a lock that conflicts with ours.
  bool has_no_rows() const {
    return !ours_ && table_->rd_rel->relam == HEAP_TABLE_AM_OID && RelationGetNumberOfBlocks(table_) == 0;
  }

  // Found empty by an earlier statement of this session, and no statement added rows since. Rows that came without
  // triggers, and those of transactions in progress, are the claim's to find.
  bool known_empty(const Tracking& tracking) const {
    return scope_.purpose == Purpose::queueing && tracking.empty_since != 0 &&
           tracking.empty_since == monitor::rows_added();
  }

  void start_index_scan() {
    InitDirtySnapshot(dirty_);
    if (scope_.purpose == Purpose::claiming) before_ = RegisterSnapshot(GetLatestSnapshot());
    scan_ = pg::begin_index_scan(table_, index_, &dirty_, 1);
    bool const hash = index_->rd_rel->relam == HASH_AM_OID;
    start_condition(condition_, hash ? HTEqualStrategyNumber : BTEqualStrategyNumber, compiled_->equality);
  }

  void start_condition(ScanKeyData& condition, StrategyNumber strategy, RegProcedure comparison) const {
    ScanKeyEntryInitialize(&condition, 0, 1, strategy, InvalidOid, index_->rd_indcollation[0], comparison, Datum{0});
  }

  // What reading rows takes: often the index alone knows the answer.
  void prepare_rows() {
    if (slot_ != nullptr) return;
    reader_.emplace(*tracking_->column, *compiled_);
    pg::call([this] {
      InitDirtySnapshot(dirty_);
      slot_ = table_slot_create(table_, nullptr);
    });
  }

  // ---- walking: entries and keys in the same order, merged

  // The index has its entries in byte order.
  bool walkable() const {
    return index_ != nullptr && index_->rd_rel->relam == BTREE_AM_OID && index_->rd_opcintype[0] == TEXTOID &&
           index_->rd_indoption[0] == 0 && pg::is_c_collation(index_->rd_indcollation[0]);
  }

  // Where a walk stands. Plain, for use inside pg::call.
  struct Walk {
    IndexScanDesc scan = nullptr;
    bool more = false;
    std::string_view entry;
    void* copy = nullptr;  // of an entry that is stored compressed
    std::size_t skipped = 0;

    void next() {
      if (copy != nullptr) pfree(copy);
      copy = nullptr;
      more = index_getnext_tid(scan, ForwardScanDirection) != nullptr;
      if (!more) return;
      bool null = false;
      Datum const value = index_getattr(scan->xs_itup, 1, scan->xs_itupdesc, &null);
      more = !null;  // they come last
      if (null) return;
      auto* text = reinterpret_cast<struct varlena*>(DatumGetPointer(value));
      if (VARATT_IS_COMPRESSED(text)) copy = text = pg_detoast_datum_packed(text);
      entry = {VARDATA_ANY(text), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(text))};
    }
    // Whether an entry of this key is next.
    bool reach(std::string_view key) {
      for (; more; skipped++, next()) {
        int const order = entry.compare(key);
        if (order >= 0) return order == 0;
      }
      return false;
    }
    // From an entry of this key to the next one.
    bool next_of(std::string_view key) {
      next();
      return more && entry == key;
    }
  };

  void start_walk(Walk& walk, Snapshot snapshot, std::string_view first) {
    walk.scan = pg::begin_index_scan(table_, index_, snapshot, 1);
    walk.scan->xs_want_itup = true;
    ScanKeyData condition;
    Oid const from = get_opfamily_member(index_->rd_opfamily[0], TEXTOID, TEXTOID, BTGreaterEqualStrategyNumber);
    start_condition(condition, BTGreaterEqualStrategyNumber, get_opcode(from));
    set_key(first);
    condition.sk_argument = PointerGetDatum(key_.text);
    index_rescan(walk.scan, &condition, 1, nullptr, 0);
    walk.next();
    pg::take_the_rest(walk.scan);
  }

  void end_walk(Walk& walk) {
    if (walk.copy != nullptr) pfree(walk.copy);
    ExecClearTuple(slot_);
    index_endscan(walk.scan);
  }

  // Returns how many keys it got through before there turned out to be too many other entries between them: looking
  // for each key is faster then.
  std::size_t walk_all(std::span<const std::string_view> keys, std::span<const std::uint32_t> released,
                       std::vector<Holding>& found) {
    constexpr std::size_t kMostSkipped = 8;  // for each key
    std::vector<std::size_t> again;          // indexes of keys that need a second look
    std::vector<std::size_t> alone;          // ... that have more entries than were released
    std::size_t done = 0;
    prepare_rows();
    Reading const rights(*compiled_);
    pg::call([&] {
      Walk walk;
      start_walk(walk, &dirty_, keys.front());
      for (; done < keys.size() && walk.skipped <= kMostSkipped * (done + kWorthWalking); done++) {
        if (done % 1024 == 0) CHECK_FOR_INTERRUPTS();
        if (found[done] == Holding::live || !walk.reach(keys[done])) continue;
        if (!released.empty() && released[done] > 0) {
          std::uint32_t entries = 1;
          while (walk.next_of(keys[done])) entries++;
          if (entries > released[done]) alone.push_back(done);
          continue;
        }
        Holding best = Holding::none;
        bool moved = false;
        do best = std::max(best, rows_of_entry(walk.scan, keys[done], moved));
        while (walk.next_of(keys[done]));
        found[done] = std::max(found[done], best);
        if (best == Holding::none && moved) again.push_back(done);
      }
      end_walk(walk);
      if (!again.empty()) walk_again(keys, again, found);
    });
    for (std::size_t const i : alone) found[i] = std::max(found[i], ask(keys[i]));
    return done;
  }

  Holding rows_of_entry(IndexScanDesc scan, std::string_view key, bool& moved) {
    Holding best = Holding::none;
    bool any = false;
    do {
      if (!index_fetch_heap(scan, slot_)) continue;
      any = true;
      if (row_holds(key)) best = std::max(best, holding());
    } while (scan->xs_heap_continue);
    if (!any) note_dead(scan, moved);
    return best;
  }

  void note_dead(IndexScanDesc scan, bool& moved) const {
    moved = moved || (before_ != nullptr && may_have_moved(table_, scan, before_));
  }

  // search_index_again() for many.
  void walk_again(std::span<const std::string_view> keys, const std::vector<std::size_t>& which,
                  std::vector<Holding>& found) {
    Snapshot const snapshot = RegisterSnapshot(GetLatestSnapshot());
    Walk walk;
    start_walk(walk, snapshot, keys[which.front()]);
    for (std::size_t const i : which) {
      bool held = false;
      for (; walk.reach(keys[i]); walk.next()) {
        held = held || (index_fetch_heap(walk.scan, slot_) && row_holds(keys[i]));
      }
      if (held) found[i] = std::max(found[i], Holding::in_progress);
    }
    end_walk(walk);
    UnregisterSnapshot(snapshot);
  }

  // ---- one key

  void close() {
    if (scan_ != nullptr) index_endscan(scan_);
    if (before_ != nullptr) UnregisterSnapshot(before_);
    if (slot_ != nullptr) ExecDropSingleTupleTableSlot(slot_);
    // Of a table that stays locked, the index may stay so too: it goes with all others at the end.
    LOCKMODE const lock = ours_ ? NoLock : AccessShareLock;
    if (index_ != nullptr) index_close(index_, lock);
    if (table_ != nullptr) table_close(table_, lock);
  }

  void set_key(std::string_view key) {
    std::size_t const size = key.size() + VARHDRSZ;
    if (size > key_.capacity) {
      key_.capacity = std::max<std::size_t>(size, 1024);
      key_.text = static_cast<struct varlena*>(palloc(key_.capacity));
      condition_.sk_argument = PointerGetDatum(key_.text);
    }
    SET_VARSIZE(key_.text, size);
    std::memcpy(VARDATA(key_.text), key.data(), key.size());
  }

  bool row_holds(std::string_view key) {
    LiveKey found;
    return reader_->read_in_backend(slot_, found) && found.key == key && found.store == scope_.store;
  }

  // Of a row that SnapshotDirty let through.
  Holding holding() const {
    bool const undecided = TransactionIdIsValid(dirty_.xmin) || TransactionIdIsValid(dirty_.xmax);
    return undecided ? Holding::in_progress : Holding::live;
  }

  bool more_entries_than(std::uint32_t expected, std::string_view key) {
    std::uint32_t found = 0;
    set_key(key);
    index_rescan(scan_, &condition_, 1, nullptr, 0);
    while (found <= expected && index_getnext_tid(scan_, ForwardScanDirection) != nullptr) found++;
    return found > expected;
  }

  Holding search_index(std::string_view key) {
    bool moved = false;
    Holding best = Holding::none;
    scan_->xs_snapshot = &dirty_;
    index_rescan(scan_, &condition_, 1, nullptr, 0);
    while (best != Holding::live && next_row(moved)) {
      if (row_holds(key)) best = std::max(best, holding());
    }
    ExecClearTuple(slot_);
    if (best == Holding::none && moved) best = search_index_again(key);
    return best;
  }

  // The next visible row; notes whether one that is not may have moved.
  bool next_row(bool& moved) {
    for (;;) {
      if (!scan_->xs_heap_continue && index_getnext_tid(scan_, ForwardScanDirection) == nullptr) return false;
      if (index_fetch_heap(scan_, slot_)) return true;
      note_dead(scan_, moved);
    }
  }

  Holding search_index_again(std::string_view key) {
    Snapshot const snapshot = RegisterSnapshot(GetLatestSnapshot());
    bool unused = false;
    bool held = false;
    scan_->xs_snapshot = snapshot;
    index_rescan(scan_, &condition_, 1, nullptr, 0);
    while (!held && next_row(unused)) held = row_holds(key);
    ExecClearTuple(slot_);
    index_rescan(scan_, &condition_, 1, nullptr, 0);
    scan_->xs_snapshot = &dirty_;
    UnregisterSnapshot(snapshot);
    // Somebody may be deleting it by now: the next claim will see.
    return held ? Holding::in_progress : Holding::none;
  }

  // Without an index (it is being rebuilt, or was dropped behind our back): slow, and right.
  Holding search_table(std::string_view key) {
    Holding best = Holding::none;
    TableScanDesc const dirty_scan = table_beginscan(table_, &dirty_, 0, nullptr);
    while (best != Holding::live && table_scan_getnextslot(dirty_scan, ForwardScanDirection, slot_)) {
      CHECK_FOR_INTERRUPTS();
      if (row_holds(key)) best = std::max(best, holding());
    }
    table_endscan(dirty_scan);
    if (best == Holding::none && scope_.purpose == Purpose::claiming) {
      Snapshot const snapshot = RegisterSnapshot(GetLatestSnapshot());
      TableScanDesc const scan = table_beginscan(table_, snapshot, 0, nullptr);
      while (best == Holding::none && table_scan_getnextslot(scan, ForwardScanDirection, slot_)) {
        CHECK_FOR_INTERRUPTS();
        if (row_holds(key)) best = Holding::in_progress;
      }
      table_endscan(scan);
      UnregisterSnapshot(snapshot);
    }
    ExecClearTuple(slot_);
    return best;
  }

  struct Key {
    struct varlena* text = nullptr;
    std::size_t capacity = 0;
  };

  const Holders::Scope& scope_;
  bool ours_ = false;
  Relation table_ = nullptr;
  Relation index_ = nullptr;
  const Tracking* tracking_ = nullptr;
  const CompiledColumn* compiled_ = nullptr;
  std::optional<RowReader> reader_;
  TupleTableSlot* slot_ = nullptr;
  IndexScanDesc scan_ = nullptr;
  SnapshotData dirty_{};
  Snapshot before_ = nullptr;  // claiming: from before the index is read
  ScanKeyData condition_{};
  Key key_;
};

}  // namespace

struct Holders::Impl {
  explicit Impl(const Scope& of) : store(of.store), scope(of) {
    scope.store = store;
    memory = pg::call(
        [] { return AllocSetContextCreate(CurrentMemoryContext, "audiostore holders", ALLOCSET_DEFAULT_SIZES); });
    if (scope.purpose == Purpose::claiming) keep_track_out();
    registry = Registry::current();
  }
  ~Impl() {
    probes.clear();
    MemoryContextDelete(memory);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // track() takes a lock that conflicts with this one, and looks at the deletes under way when it has it.
  void keep_track_out() {
    Oid const table = pg::own_relation("tracked_columns");
    if (!OidIsValid(table)) return;
    if (!pg::call([table] { return ConditionalLockRelationOid(table, RowExclusiveLock); })) undecided = true;
  }

  const std::vector<Registry::Source>& sources() const { return registry->sources(store); }

  // Runs body(); when tables change meanwhile, once more with what is known then.
  template <class F>
  auto with_current_registry(F&& body) {
    MemoryContext const outer = MemoryContextSwitchTo(memory);
    struct Restore {
      MemoryContext to;
      ~Restore() { MemoryContextSwitchTo(to); }
    } const restore{outer};
    for (;;) {
      try {
        return body();
      } catch (const RegistryChanged&) {
        probes.clear();
        opened = false;
        registry = Registry::current();
      }
    }
  }

  void open_all() {
    if (opened) return;
    for (auto const& source : sources()) {
      if (source.relation == scope.without) continue;
      auto probe = std::make_unique<Probe>(scope);
      Opened const state = probe->open(source);
      if (state == Opened::busy) undecided = true;
      if (state == Opened::open) probes.push_back(std::move(probe));
    }
    opened = true;
  }

  Holding ask(std::string_view key) {
    open_all();
    Holding best = undecided ? Holding::in_progress : Holding::none;
    for (auto const& probe : probes) {
      if (best == Holding::live) break;
      best = std::max(best, probe->ask(key));
    }
    return best;
  }

  std::vector<Holding> ask(std::span<const std::string_view> keys, const Released& released) const {
    std::vector<Holding> found(keys.size(), undecided ? Holding::in_progress : Holding::none);
    for (auto const& source : sources()) {
      if (source.relation == scope.without) continue;
      Probe probe(scope);
      bool const ours = source.relation == released.relation && scope.purpose == Purpose::queueing;
      Opened const state = probe.open(source, ours);
      if (state == Opened::gone) continue;
      bool const own =
          source.relation == released.relation && source.tracking->column->key_column == released.key_column;
      if (state == Opened::busy) {
        for (Holding& holding : found) holding = std::max(holding, Holding::in_progress);
      } else {
        probe.ask_all(keys, own ? released.rows : std::span<const std::uint32_t>(), found);
      }
      pg::check_interrupts();
    }
    return found;
  }

  std::string store;
  Scope scope;
  MemoryContext memory = nullptr;
  std::shared_ptr<const Registry> registry;
  std::vector<std::unique_ptr<Probe>> probes;
  bool opened = false;
  bool undecided = false;
};

Holders::Holders(const Scope& scope) : impl_(std::make_unique<Impl>(scope)) {}

Holders::~Holders() = default;

bool Holders::empty() const { return impl_->sources().empty() && !impl_->undecided; }

Holding Holders::probe(std::string_view key) {
  return impl_->with_current_registry([&] { return impl_->ask(key); });
}

std::vector<Holding> Holders::probe(std::span<const std::string_view> keys) {
  return probe(keys, {.relation = InvalidOid, .key_column = {}, .rows = {}});
}

std::vector<Holding> Holders::probe(std::span<const std::string_view> keys, const Released& released) {
  return impl_->with_current_registry([&] { return impl_->ask(keys, released); });
}

}  // namespace audiostore::tracking
