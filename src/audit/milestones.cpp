#include "audit/milestones.hpp"

#include "pg/datum.hpp"
#include "pg/memory_scope.hpp"
#include "tracking/registry.hpp"

namespace audiostore::audit {
namespace {

double estimated_rows(Oid relation) {
  return pg::call([relation] {
    HeapTuple const row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(row)) return 0.0;
    double const rows = reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->reltuples;
    ReleaseSysCache(row);
    return std::max(rows, 0.0);
  });
}

// The bounds of the column's histogram: about as many rows between any two neighbours, whatever their order.
void add_histogram(Oid relation, const std::string& column, double rows, std::vector<Milestone>& milestones) {
  AttStatsSlot slot{};
  bool const found = pg::call([&] {
    AttrNumber const number = get_attnum(relation, column.c_str());
    HeapTuple const statistics =
        SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(relation), Int16GetDatum(number), BoolGetDatum(false));
    if (!HeapTupleIsValid(statistics)) return false;
    bool const has = get_attstatsslot(&slot, statistics, STATISTIC_KIND_HISTOGRAM, InvalidOid, ATTSTATSSLOT_VALUES);
    ReleaseSysCache(statistics);
    return has;
  });
  if (!found) return;
  for (int i = 0; i < slot.nvalues; i++) {
    milestones.push_back({.key = std::string(pg::view(slot.values[i])), .keys = rows / slot.nvalues});
  }
  pg::call([&] { free_attstatsslot(&slot); });
}

}  // namespace

KeyStatistics key_statistics(std::string_view store) {
  pg::MemoryScope const memory("audiostore key statistics");
  KeyStatistics statistics;
  for (auto const& source : tracking::Registry::current()->sources(store)) {
    double const rows = estimated_rows(source.relation);
    statistics.rows += rows;
    add_histogram(source.relation, source.tracking->column->key_column, rows, statistics.milestones);
  }
  return statistics;
}

}  // namespace audiostore::audit
