#include "cost/usage.hpp"

#include <limits>

#include "pg/result_set.hpp"
#include "pg/statement.hpp"
#include "pg/subtransaction.hpp"
#include "tracking/registry.hpp"
#include "tracking/rights.hpp"

namespace audiostore::cost {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
// The column by which rows of any table say what class their object has.
constexpr const char* kClassColumn = "storage_class";

struct Table {
  Oid owner = InvalidOid;  // invalid: the table is gone
  std::string name;        // qualified and quoted
  bool has_class = false;
};

bool is_text_column(Oid relation, const char* name) {
  AttrNumber const number = get_attnum(relation, name);
  if (number == InvalidAttrNumber) return false;
  Oid const type = get_atttype(relation, number);
  return type == TEXTOID || type == VARCHAROID;
}

Table find_table(Oid relation) {
  Table table;
  pg::call([&] {
    HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(row)) return;
    const auto& form = *reinterpret_cast<const FormData_pg_class*>(GETSTRUCT(row));
    table.owner = form.relowner;
    table.name = quote_qualified_identifier(get_namespace_name(form.relnamespace), NameStr(form.relname));
    ReleaseSysCache(row);
    table.has_class = is_text_column(relation, kClassColumn);
  });
  return table;
}

// An aggregate of sizes as a bigint, however large they are.
std::string sum_of(const std::string& expression) {
  return "least(coalesce(sum(" + expression + "), 0), " + std::to_string(kMost) + ")::bigint";
}

std::string query(const Table& table, const tracking::TrackedColumn& column, std::span<const std::int64_t> minimums,
                  std::optional<Pages> pages) {
  std::string const size = column.size_column.empty() ? "NULL::bigint" : tracking::quote(column.size_column);
  std::string const key = tracking::quote(column.key_column);
  std::string text = "SELECT ";
  text += column.store_by_row() ? tracking::quote(column.store_column) + "::text" : "NULL::text";
  text += table.has_class ? ", upper(nullif(" + std::string(kClassColumn) + ", ''))" : ", NULL::text";
  text += ", count(*), " + sum_of(size) + ", count(*) - count(" + size + ")";
  for (std::int64_t const minimum : minimums)
    text += ", " + sum_of("greatest(" + size + ", " + std::to_string(minimum) + ")");
  text += " FROM " + table.name + " WHERE " + key + " <> '' AND (" + column.live_when + "\n)";
  if (column.store_by_row()) text += " AND " + tracking::quote(column.store_column) + " IS NOT NULL";
  if (pages) {
    text += " AND ctid >= '(" + std::to_string(pages->first) + ",0)'::tid AND ctid < '(" + std::to_string(pages->end) +
            ",0)'::tid";
  }
  if (column.store_by_row() || table.has_class) text += " GROUP BY 1, 2";
  return text;
}

std::int64_t sum(std::int64_t one, std::int64_t other) {
  std::int64_t result = 0;
  return __builtin_add_overflow(one, other, &result) ? kMost : result;
}

}  // namespace

void add(Usage& total, const Usage& more) {
  total.objects = sum(total.objects, more.objects);
  total.bytes = sum(total.bytes, more.bytes);
  total.unsized = sum(total.unsized, more.unsized);
  total.padded.resize(more.padded.size());
  for (std::size_t i = 0; i < more.padded.size(); i++) total.padded[i] = sum(total.padded[i], more.padded[i]);
}

std::vector<Usage> count_live(const tracking::TrackedColumn& column, std::span<const std::int64_t> minimums,
                              std::optional<Pages> pages) {
  Table const table = find_table(column.relation);
  if (!OidIsValid(table.owner)) return {};
  std::string const text = query(table, column, minimums, pages);
  pg::Spi const spi(pg::Spi::Sees::statement);
  tracking::OwnersRights const rights(table.owner);
  pg::call([&] { SPI_execute(text.c_str(), true, 0); });
  pg::Rows const rows;
  std::vector<Usage> counted;
  for (std::size_t row = 0; row < rows.size(); row++) {
    if (rows.bigint(row, 3) == 0) continue;
    Usage usage{.store = column.store_by_row() ? rows.text(row, 1) : column.store,
                .storage_class = rows.text(row, 2),
                .objects = rows.bigint(row, 3),
                .bytes = rows.bigint(row, 4),
                .unsized = rows.bigint(row, 5),
                .padded = {}};
    for (std::size_t i = 0; i < minimums.size(); i++) {
      usage.padded.push_back(rows.bigint(row, 6 + static_cast<int>(i)));
    }
    counted.push_back(std::move(usage));
  }
  return counted;
}

namespace {

NullableDatum number(std::int64_t value) { return {Int64GetDatum(value), false}; }

NullableDatum name(const std::string& text) {
  return {pg::call([&] { return DirectFunctionCall1(namein, CStringGetDatum(text.c_str())); }), false};
}

void report(pg::ResultSet& rows, const tracking::TrackedColumn& column, const Usage& usage) {
  rows.add({{ObjectIdGetDatum(column.relation), false},
            name(column.key_column),
            pg::text_or_null(usage.store),
            pg::text_or_null(usage.storage_class),
            number(usage.objects),
            number(usage.bytes),
            number(usage.unsized),
            {pg::bigint_array(usage.padded).value, false},
            {Datum{0}, true}});
}

void report(pg::ResultSet& rows, const tracking::TrackedColumn& column, const pg::Failure& failure) {
  NullableDatum const null{Datum{0}, true};
  rows.add({{ObjectIdGetDatum(column.relation), false},
            name(column.key_column),
            null,
            null,
            null,
            null,
            null,
            null,
            pg::text_or_null(failure.message)});
}

std::vector<std::int64_t> numbers(Datum array) {
  std::vector<std::int64_t> list;
  Datum* elements = nullptr;
  bool* nulls = nullptr;
  int count = 0;
  pg::call([&] {
    deconstruct_array(DatumGetArrayTypeP(array), INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &elements,
                      &nulls, &count);
  });
  for (int i = 0; i < count; i++) {
    if (!nulls[i]) list.push_back(DatumGetInt64(elements[i]));
  }
  return list;
}

Datum tracked_usage(FunctionCallInfo info) {
  std::vector<std::int64_t> const minimums = numbers(info->args[0].value);
  pg::ResultSet rows(info);
  // A copy: what a table's owner wrote may change what is tracked.
  std::vector<std::shared_ptr<const tracking::TrackedColumn>> const columns = tracking::Registry::current()->columns();
  for (const auto& column : columns) {
    std::vector<Usage> counted;
    std::optional<pg::Failure> const failure = pg::attempt([&] { counted = count_live(*column, minimums); });
    if (failure) {
      report(rows, *column, *failure);
      continue;
    }
    for (const Usage& usage : counted) report(rows, *column, usage);
  }
  return Datum{0};
}

Datum tracked_totals(FunctionCallInfo info) {
  Usage totals;
  for (const auto& column : tracking::Registry::current()->columns()) {
    for (const Usage& usage : count_live(*column, {})) add(totals, usage);
  }
  return pg::composite(info, {number(totals.objects), number(totals.bytes)});
}

}  // namespace

AUDIOSTORE_FUNCTION(tracked_usage, tracked_usage)
AUDIOSTORE_FUNCTION(tracked_totals, tracked_totals)

}  // namespace audiostore::cost
