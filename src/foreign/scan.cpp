// The executor's side. What would surprise you: the scan's C++ state hangs on a memory context, because after an error
// nobody calls EndForeignScan.
#include "foreign/table.hpp"
#include "pg/arena.hpp"
#include "pg/datum.hpp"
#include "pg/guard.hpp"

namespace audiostore::foreign {
namespace {

struct Scan {
  Table table;
  ScanPlan plan;
  std::shared_ptr<OpenStore> store;
  List* values = NIL;  // ExprStates of the conditions' values
  std::optional<Listing> listing;
};

Scan& scan_of(ForeignScanState* node) { return **static_cast<pg::Owned<Scan>*>(node->fdw_state); }

KeyRange range_of(const Scan& scan, ForeignScanState* node) {
  KeyRange range;
  range.add(Comparison::prefix, scan.table.prefix);
  ExprContext* const context = node->ss.ps.ps_ExprContext;
  for (std::size_t i = 0; i < scan.plan.conditions.size(); i++) {
    bool null = false;
    auto* state = static_cast<ExprState*>(list_nth(scan.values, static_cast<int>(i)));
    Datum const value = pg::call([&] {
      MemoryContext outer = MemoryContextSwitchTo(context->ecxt_per_tuple_memory);
      Datum const result = ExecEvalExpr(state, context, &null);
      MemoryContextSwitchTo(outer);
      return result;
    });
    if (null) {
      range.add_nothing();
    } else {
      range.add(scan.plan.conditions[i].comparison, pg::view(value));
    }
  }
  return range;
}

void begin(ForeignScanState* node, int flags) {
  auto* plan = reinterpret_cast<ForeignScan*>(node->ss.ps.plan);
  auto owned = std::make_unique<Scan>();
  Scan& scan = *owned;
  scan.table = describe_table(RelationGetRelid(node->ss.ss_currentRelation));
  scan.plan = read_plan(plan);
  if ((flags & EXEC_FLAG_EXPLAIN_ONLY) == 0) {
    Oid const user = pg::scan_user(node->ss.ps.state, plan);
    check_usage(scan.table.store, user);
    scan.store = open_store(scan.table.store, user);
    scan.values = pg::call([&] { return ExecInitExprList(plan->fdw_exprs, &node->ss.ps); });
  }
  node->fdw_state = pg::own(node->ss.ps.state->es_query_cxt, std::move(owned));
}

TupleTableSlot* iterate(ForeignScanState* node) {
  Scan& scan = scan_of(node);
  if (!scan.listing) scan.listing.emplace(scan.store, range_of(scan, node), scan.plan.wanted);
  TupleTableSlot* slot = node->ss.ss_ScanTupleSlot;
  const store::ObjectInfo* const object = scan.listing->next();
  if (object == nullptr) return pg::call([&] { return ExecClearTuple(slot); });
  auto const values = values_of(*object);
  return pg::call([&] {
    ExecClearTuple(slot);
    for (std::size_t i = 0; i < scan.table.columns.size(); i++) {
      auto const& field = scan.table.columns[i];
      NullableDatum const value = field ? values[static_cast<std::size_t>(*field)] : NullableDatum{Datum{0}, true};
      slot->tts_values[i] = value.value;
      slot->tts_isnull[i] = value.isnull;
    }
    return ExecStoreVirtualTuple(slot);
  });
}

void rescan(ForeignScanState* node) {
  Scan& scan = scan_of(node);
  if (!scan.listing) return;
  if (node->ss.ps.chgParam != nullptr) {
    scan.listing.reset();
  } else {
    scan.listing->rewind();
  }
}

// Conditions whose values are not known before the scan runs do not show up in it.
KeyRange range_known_to_planner(const Scan& scan) {
  KeyRange range;
  range.add(Comparison::prefix, scan.table.prefix);
  for (auto const& condition : scan.plan.conditions) {
    if (!IsA(condition.value, Const)) continue;
    auto const* value = reinterpret_cast<const Const*>(condition.value);
    if (value->constisnull) {
      range.add_nothing();
    } else {
      range.add(condition.comparison, pg::view(value->constvalue));
    }
  }
  return range;
}

void explain(ForeignScanState* node, ExplainState* output) {
  Scan const& scan = scan_of(node);
  KeyRange const range = range_known_to_planner(scan);
  std::string const ends = range.text();
  pg::call([&] {
    ExplainPropertyText("Store", scan.table.store.name.c_str(), output);
    if (!range.prefix().empty()) ExplainPropertyText("Prefix", range.prefix().c_str(), output);
    if (!ends.empty()) ExplainPropertyText("Key Range", ends.c_str(), output);
    if (output->analyze && scan.listing) {
      ExplainPropertyInteger("Requests", nullptr, static_cast<int64>(scan.listing->requests()), output);
    }
  });
}

void begin_scan(ForeignScanState* node, int flags) {
  pg::guarded([&] { begin(node, flags); });
}
TupleTableSlot* iterate_scan(ForeignScanState* node) {
  return pg::guarded([&] { return iterate(node); });
}
void rescan_scan(ForeignScanState* node) {
  pg::guarded([&] { rescan(node); });
}
void end_scan(ForeignScanState* node) {
  if (node->fdw_state != nullptr) static_cast<pg::Owned<Scan>*>(node->fdw_state)->reset();
}
void explain_scan(ForeignScanState* node, ExplainState* output) {
  pg::guarded([&] { explain(node, output); });
}

}  // namespace

void add_scanning(FdwRoutine* routine) {
  routine->BeginForeignScan = begin_scan;
  routine->IterateForeignScan = iterate_scan;
  routine->ReScanForeignScan = rescan_scan;
  routine->EndForeignScan = end_scan;
  routine->ExplainForeignScan = explain_scan;
}

}  // namespace audiostore::foreign
