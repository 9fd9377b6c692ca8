// ANALYZE of a foreign table lists all of it once and keeps a random sample, so that later plans know how many objects
// there are and how they are spread.
#include <random>

#include "foreign/table.hpp"
#include "pg/guard.hpp"
#include "pg/memory_scope.hpp"

namespace audiostore::foreign {
namespace {

HeapTuple make_row(const Table& table, TupleDesc descriptor, const store::ObjectInfo& object) {
  MemoryContext result = CurrentMemoryContext;
  pg::MemoryScope const memory("audiostore analyze");
  auto const values = values_of(object);
  std::vector<Datum> columns(table.columns.size());
  // Not std::vector<bool>: PostgreSQL wants an array.
  auto const nulls = std::make_unique<bool[]>(table.columns.size());
  for (std::size_t i = 0; i < columns.size(); i++) {
    auto const& field = table.columns[i];
    NullableDatum const value = field ? values[static_cast<std::size_t>(*field)] : NullableDatum{Datum{0}, true};
    columns[i] = value.value;
    nulls[i] = value.isnull;
  }
  return pg::call([&] {
    MemoryContext scratch = MemoryContextSwitchTo(result);
    HeapTuple row = heap_form_tuple(descriptor, columns.data(), nulls.get());
    MemoryContextSwitchTo(scratch);
    return row;
  });
}

// Reservoir sampling: each object has the same chance to be among the rows.
int sample(Relation relation, HeapTuple* rows, int wanted, double* total) {
  Table const table = describe_table(RelationGetRelid(relation));
  Oid const user = GetUserId();
  check_usage(table.store, user);
  KeyRange range;
  range.add(Comparison::prefix, table.prefix);
  Listing listing(open_store(table.store, user), range);
  std::mt19937_64 random{std::random_device{}()};
  std::uint64_t seen = 0;
  auto const room = static_cast<std::uint64_t>(wanted);
  while (const store::ObjectInfo* object = listing.next()) {
    std::uint64_t place = seen++;
    if (place >= room) {
      place = std::uniform_int_distribution<std::uint64_t>(0, seen - 1)(random);
      if (place >= room) continue;
      heap_freetuple(rows[place]);
    }
    rows[place] = make_row(table, RelationGetDescr(relation), *object);
  }
  *total = static_cast<double>(seen);
  return static_cast<int>(std::min(seen, room));
}

int acquire_rows(Relation relation, int /*level*/, HeapTuple* rows, int wanted, double* total, double* dead) {
  *dead = 0;
  return pg::guarded([&] { return sample(relation, rows, wanted, total); });
}

bool analyze(Relation /*relation*/, AcquireSampleRowsFunc* function, BlockNumber* pages) {
  *function = acquire_rows;
  *pages = 1;
  return true;
}

}  // namespace

void add_analyzing(FdwRoutine* routine) { routine->AnalyzeForeignTable = analyze; }

}  // namespace audiostore::foreign
