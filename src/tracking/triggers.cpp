// The trigger functions: one call for each statement of a user, whatever its number of rows, with the rows in
// transition tables. The sets count, not the rows: a statement that passes a key from one row to another neither
// references nor lets go of it.
//
// DML on a partitioned table fires that table's triggers, DML on a partition the partition's; the rows come in the
// shape of whichever it is.
#include "monitor/wake.hpp"
#include "pg/guard.hpp"
#include "pg/memory_scope.hpp"
#include "tracking/outcome.hpp"
#include "tracking/registry.hpp"

namespace audiostore::tracking {
namespace {

constexpr std::size_t kKeysAtOnce = 200'000;

// The rows of a transition table, from its start.
class Rows {
 public:
  Rows(Tuplestorestate* store, TupleDesc shape) : store_(store) {
    pg::call([&] {
      slot_ = MakeSingleTupleTableSlot(shape, &TTSOpsMinimalTuple);
      tuplestore_select_read_pointer(store_, 0);
      tuplestore_rescan(store_);
    });
  }
  ~Rows() { ExecDropSingleTupleTableSlot(slot_); }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  TupleTableSlot* next() {
    return pg::call(
        [this]() -> TupleTableSlot* { return tuplestore_gettupleslot(store_, true, false, slot_) ? slot_ : nullptr; });
  }

 private:
  Tuplestorestate* store_;
  TupleTableSlot* slot_ = nullptr;
};

// A firing of one of our triggers, for one tracked column.
struct Firing {
  const TriggerData& data;
  const Tracking& tracking;
  const CompiledColumn& compiled;

  Change change(const char* reason) const {
    return {.relation = RelationGetRelid(data.tg_relation),
            .key_column = tracking.column->key_column,
            .owner = compiled.owner,
            .stores_by_row = tracking.column->store_by_row(),
            .reason = reason};
  }
  TupleDesc shape() const { return RelationGetDescr(data.tg_relation); }
};

bool next_live(Rows& rows, RowReader& reader, LiveKey& live) {
  while (TupleTableSlot* const row = rows.next()) {
    if (reader.read(row, live)) return true;
  }
  return false;
}

template <class F>
void in_batches(const Firing& firing, Tuplestorestate* store, F&& consume) {
  Rows rows(store, firing.shape());
  RowReader reader(*firing.tracking.column, firing.compiled);
  Keys keys;
  for (bool more = true; more;) {
    {
      Reading const rights(firing.compiled);
      LiveKey live;
      while (keys.size() < kKeysAtOnce && (more = next_live(rows, reader, live))) keys.add(live);
    }
    consume(keys);
    keys.clear();
  }
}

// A table that other sessions may know to be empty is so no more. They do not see its rows before the commit.
void note_rows(const Firing& firing) {
  if (firing.tracking.column->store_by_row()) monitor::note_rows_added();
}

void inserted(const Firing& firing) {
  note_rows(firing);
  in_batches(firing, firing.data.tg_newtable, [&](Keys& keys) { hold(keys, firing.change("row inserted")); });
}

void deleted(const Firing& firing) {
  in_batches(firing, firing.data.tg_oldtable, [&](Keys& keys) { let_go(keys, firing.change("row deleted")); });
}

// True when no column that matters was assigned to. Triggers before the update may change any column, and those of
// partitions are not known here.
bool cannot_matter(const Firing& firing) {
  Relation const table = firing.data.tg_relation;
  if (table->rd_rel->relkind != RELKIND_RELATION || table->rd_rel->relhassubclass) return false;
  if (table->trigdesc != nullptr && table->trigdesc->trig_update_before_row) return false;
  return firing.data.tg_updatedcols != nullptr && !firing.compiled.depends_on(firing.data.tg_updatedcols);
}

// Old and new rows come in pairs, so what a row keeps is dropped at once. That saves work only: the sets below and
// the probes stay right if pairs do not match.
void updated(const Firing& firing) {
  note_rows(firing);  // of a partitioned table: they may have moved to a partition that had none
  if (cannot_matter(firing)) return;
  Rows old_rows(firing.data.tg_oldtable, firing.shape());
  Rows new_rows(firing.data.tg_newtable, firing.shape());
  RowReader old_reader(*firing.tracking.column, firing.compiled);
  RowReader new_reader(*firing.tracking.column, firing.compiled);
  Keys before;
  Keys after;
  for (bool more = true; more;) {
    {
      Reading const rights(firing.compiled);
      while (more && before.size() + after.size() < kKeysAtOnce) {
        TupleTableSlot* const old_row = old_rows.next();
        TupleTableSlot* const new_row = new_rows.next();
        more = old_row != nullptr || new_row != nullptr;
        LiveKey had;
        LiveKey has;
        bool const had_any = old_row != nullptr && old_reader.read(old_row, had);
        bool const has_any = new_row != nullptr && new_reader.read(new_row, has);
        if (had_any && has_any && had == has) continue;
        if (had_any) before.add(had);
        if (has_any) after.add(has);
      }
    }
    before.settle();
    after.settle();
    Keys gained;
    for (auto const& group : after.groups()) {
      for (auto const key : group.keys) gained.add({.key = key, .store = group.store});
    }
    gained.settle();
    gained.subtract(before);
    before.subtract(after);
    hold(gained, firing.change("row updated"));
    let_go(before, firing.change("row updated"));
    before.clear();
    after.clear();
  }
}

Datum fire(FunctionCallInfo info, void (*react)(const Firing&)) {
  if (!CALLED_AS_TRIGGER(info)) {
    throw pg::SqlError(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, "function was not called by a trigger", {},
                       "Triggers that call it are created by audiostore.track().");
  }
  auto const& data = *reinterpret_cast<TriggerData*>(info->context);
  if (TRIGGER_FIRED_FOR_ROW(data.tg_event)) {
    throw pg::SqlError(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, "function must be called for each statement", {},
                       "Triggers that call it are created by audiostore.track().");
  }
  auto const registry = Registry::current();
  Member const* const member = registry->find(RelationGetRelid(data.tg_relation));
  if (member == nullptr) return PointerGetDatum(nullptr);
  pg::MemoryScope const memory("audiostore trigger");
  for (Tracking const& tracking : member->trackings) {
    react({.data = data, .tracking = tracking, .compiled = tracking.compile(data.tg_relation)});
  }
  return PointerGetDatum(nullptr);
}

void need_transition_table(const Tuplestorestate* table) {
  if (table != nullptr) return;
  throw pg::SqlError(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, "trigger has no transition table", {},
                     "Triggers that call this function are created by audiostore.track().");
}

Datum rows_inserted(FunctionCallInfo info) {
  return fire(info, [](const Firing& firing) {
    need_transition_table(firing.data.tg_newtable);
    inserted(firing);
  });
}

Datum rows_deleted(FunctionCallInfo info) {
  return fire(info, [](const Firing& firing) {
    need_transition_table(firing.data.tg_oldtable);
    deleted(firing);
  });
}

Datum rows_updated(FunctionCallInfo info) {
  return fire(info, [](const Firing& firing) {
    need_transition_table(firing.data.tg_oldtable);
    need_transition_table(firing.data.tg_newtable);
    updated(firing);
  });
}

Datum table_truncated(FunctionCallInfo info) {
  return fire(info, [](const Firing& firing) {
    let_go_of_column(RelationGetRelid(firing.data.tg_relation), firing.tracking.column->key_column, "table truncated");
  });
}

}  // namespace
}  // namespace audiostore::tracking

AUDIOSTORE_FUNCTION(rows_inserted, audiostore::tracking::rows_inserted)
AUDIOSTORE_FUNCTION(rows_deleted, audiostore::tracking::rows_deleted)
AUDIOSTORE_FUNCTION(rows_updated, audiostore::tracking::rows_updated)
AUDIOSTORE_FUNCTION(table_truncated, audiostore::tracking::table_truncated)
