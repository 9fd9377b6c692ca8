// How many objects the rows say there are, and how large: counted now, table by table, as each table's owner, since
// live_when is an expression that the owner wrote and the caller of this function may be anybody, a superuser included.
#include <limits>

#include "pg/result_set.hpp"
#include "pg/statement.hpp"
#include "tracking/registry.hpp"
#include "tracking/rights.hpp"

namespace audiostore::worker {
namespace {

struct Totals {
  std::int64_t objects = 0;
  std::int64_t bytes = 0;
};

struct Table {
  Oid owner = InvalidOid;  // invalid: the table is gone
  std::string name;        // qualified and quoted
};

Table find_table(Oid relation) {
  Table table;
  pg::call([&] {
    HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(row)) return;
    const auto& form = *reinterpret_cast<const FormData_pg_class*>(GETSTRUCT(row));
    table.owner = form.relowner;
    table.name = quote_qualified_identifier(get_namespace_name(form.relnamespace), NameStr(form.relname));
    ReleaseSysCache(row);
  });
  return table;
}

std::string query(const Table& table, const tracking::TrackedColumn& column) {
  std::string const size = column.size_column.empty() ? "0" : tracking::quote(column.size_column);
  std::string const largest = std::to_string(std::numeric_limits<std::int64_t>::max());
  return "SELECT count(*), least(coalesce(sum(" + size + "), 0), " + largest + ")::bigint FROM " + table.name +
         " WHERE " + tracking::quote(column.key_column) + " IS NOT NULL AND (" + column.live_when + "\n)";
}

Totals count_live(const tracking::TrackedColumn& column) {
  Table const table = find_table(column.relation);
  if (!OidIsValid(table.owner)) return {};
  std::string const text = query(table, column);
  pg::Spi const spi;
  tracking::OwnersRights const rights(table.owner);
  pg::call([&] { SPI_execute(text.c_str(), true, 0); });
  pg::Rows const rows;
  return {rows.bigint(0, 1), rows.bigint(0, 2)};
}

Datum tracked_totals(FunctionCallInfo info) {
  Totals totals;
  for (const auto& column : tracking::Registry::current()->columns()) {
    Totals const one = count_live(*column);
    totals.objects += one.objects;
    totals.bytes += one.bytes;
  }
  return pg::composite(info, {{Int64GetDatum(totals.objects), false}, {Int64GetDatum(totals.bytes), false}});
}

}  // namespace

AUDIOSTORE_FUNCTION(tracked_totals, tracked_totals)

}  // namespace audiostore::worker
