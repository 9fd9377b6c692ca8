#include "lifecycle/tier_warnings.hpp"

#include <array>

#include "lifecycle/row_statements.hpp"
#include "lifecycle/tier_money.hpp"
#include "lifecycle/way.hpp"
#include "pg/identity.hpp"
#include "pg/statement.hpp"
#include "pg/subtransaction.hpp"
#include "tracking/rights.hpp"

namespace audiostore::lifecycle {
namespace {

// Objects of one store that go one way.
struct Group {
  std::string store;
  std::string storage_class;
  std::int64_t objects = 0;
  TierFigures figures;
  std::string obstacle;  // why they do not go
};

ClassTerms terms_of(const std::string& store, const std::string& storage_class) {
  static pg::Statement price(
      "SELECT class, price_per_gb_month::float8, early_delete_fee::float8, minimum_days::bigint, "
      "minimum_billable_bytes,"
      " currency FROM audiostore.storage_price($1, $2)",
      {TEXTOID, TEXTOID});
  price.execute({pg::text_argument(store), storage_class.empty() ? pg::Argument() : pg::text_argument(storage_class)});
  pg::Rows const rows = price.rows();
  auto const number = [&](int column) {
    return rows.null(0, column) ? std::nullopt : std::optional(DatumGetFloat8(rows.datum(0, column).value));
  };
  return {.name = rows.text(0, 1),
          .price = number(2),
          .early_fee = number(3),
          .minimum_days = rows.null(0, 4) ? 0 : rows.bigint(0, 4),
          .minimum_bytes = rows.null(0, 5) ? 0 : rows.bigint(0, 5),
          .currency = rows.text(0, 6)};
}

std::vector<Group> groups_of(const TierRule& rule, Oid owner, TimestampTz before) {
  tracking::OwnersRights const rights(owner);
  constexpr std::array<Oid, 1> kTypes{TIMESTAMPTZOID};
  std::array<Datum, 1> const values{TimestampTzGetDatum(before)};
  execute(group_objects_sql(rule), kTypes, values);
  pg::Rows const rows;
  std::vector<Group> groups(rows.size());
  for (std::size_t i = 0; i < groups.size(); i++) {
    groups[i] = {.store = rows.text(i, 1),
                 .storage_class = rows.text(i, 2),
                 .objects = rows.bigint(i, 3),
                 .figures = {},
                 .obstacle = {}};
  }
  return groups;
}

void look_up(const TierRule& rule, Oid owner, Group& group) {
  auto const failure = pg::attempt([&] {
    Way const way = find_way(rule, owner, group.store, group.storage_class);
    group.figures.from = terms_of(group.store, {});
    group.figures.to = way.to ? terms_of(way.to_store, {}) : terms_of(group.store, way.storage_class);
  });
  if (failure) group.obstacle = failure->message;
}

void measure(const TierRule& rule, Oid owner, TimestampTz before, Group& group) {
  tracking::OwnersRights const rights(owner);
  constexpr std::array<Oid, 6> kTypes{TIMESTAMPTZOID, TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID};
  TierFigures& figures = group.figures;
  std::array<Datum, 6> const values{TimestampTzGetDatum(before),
                                    pg::text_argument(group.store).value,
                                    pg::text_argument(group.storage_class).value,
                                    Int64GetDatum(figures.from.minimum_bytes),
                                    Int64GetDatum(figures.to.minimum_bytes),
                                    Int64GetDatum(figures.from.minimum_days)};
  execute(measure_objects_sql(rule), kTypes, values);
  pg::Rows const rows;
  auto const number = [&](int column) {
    return rows.null(0, column) ? 0.0 : DatumGetFloat8(rows.datum(0, column).value);
  };
  figures.objects = rows.bigint(0, 1);
  figures.billed_from = number(2);
  figures.billed_to = number(3);
  figures.small = rows.bigint(0, 4);
  figures.young = rows.bigint(0, 5);
  figures.young_byte_days = number(6);
}

}  // namespace

std::vector<std::string> tier_warnings(const TierRule& rule, Oid owner, TimestampTz before) {
  std::vector<std::string> warnings;
  std::vector<Group> groups = groups_of(rule, owner, before);
  for (Group& group : groups) {
    look_up(rule, owner, group);
    if (!group.obstacle.empty()) {
      warnings.push_back(std::to_string(group.objects) + " objects stay: " + group.obstacle);
      continue;
    }
    measure(rule, owner, before, group);
    for (std::string const& warning : money_warnings(group.figures)) {
      warnings.push_back("store " + group.store + ": " + warning);
    }
  }
  return warnings;
}

}  // namespace audiostore::lifecycle
