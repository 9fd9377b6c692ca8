#include "report/stored.hpp"

#include <cmath>

#include "cost/usage.hpp"
#include "pg/subtransaction.hpp"
#include "tracking/registry.hpp"

namespace audiostore::report {
namespace {

constexpr double kCountUpTo = 40'000;  // blocks, of all tracked tables together
constexpr auto kFreshFor = std::chrono::hours(36);

std::vector<StoredLine> lines_of(const Facts& facts, Stored& stored) {
  std::vector<StoredLine> lines;
  for (std::size_t i = 0; i < facts.size(); i++) {
    if (facts.null(i, 1)) {
      stored.gaps.push_back(facts.text(i, 8));
      continue;
    }
    lines.push_back({.store = facts.text(i, 1),
                     .provider = facts.text(i, 2),
                     .storage_class = facts.text(i, 3),
                     .objects = facts.bigint(i, 4),
                     .bytes = facts.bigint(i, 5),
                     .monthly_cost = facts.null(i, 6) ? std::nullopt : std::optional(facts.number(i, 6)),
                     .currency = facts.text(i, 7),
                     .reason = facts.text(i, 8)});
  }
  return lines;
}

double tracked_blocks() {
  static pg::Statement statement(
      "SELECT coalesce(sum(pg_relation_size(relid) / current_setting('block_size')::int8), 0)::float8 "
      "FROM unnest($1::int8[]) AS u(relid)",
      {INT8ARRAYOID});
  std::vector<std::int64_t> relations;
  for (const auto& [oid, member] : tracking::Registry::current()->members()) {
    if (member.has_rows()) relations.push_back(oid);
  }
  return Facts(statement, {pg::bigint_array(relations)}).number(0, 1);
}

void count_now(Stored& stored) {
  static pg::Statement statement(
      "SELECT store, provider, storage_class, objects, bytes, monthly_cost::float8, currency::text, reason "
      "FROM audiostore.storage_cost()",
      {});
  stored.lines = lines_of(Facts(statement), stored);
}

bool take_last_accounting(const Period& period, Stored& stored) {
  static pg::Statement statement(
      "SELECT store, provider, storage_class, objects, bytes, monthly_cost::float8, currency::text, reason, sampled_at "
      "FROM audiostore.storage_now",
      {});
  Facts const facts(statement);
  if (facts.size() == 0) return false;
  auto const at = facts.time(0, 9);
  if (!at || period.now - *at > kFreshFor) return false;
  stored.how = Stored::How::accounted;
  stored.accounted_at = at;
  stored.lines = lines_of(facts, stored);
  return true;
}

// ---- estimates ----------------------------------------------------------------------------------------------------

constexpr BlockNumber kStretch = 100;  // blocks that are read one after the other
constexpr double kStretches = 80;      // of a column's table: 8,000 blocks are a few million rows, or 64 MB

// Stretches of blocks that lie evenly over the largest of a table's parts. The same blocks of every part are read, so
// each block has the same chance, whatever the sizes of the parts.
struct Stretches {
  double share = 1;
  std::vector<cost::Pages> pages;
};

Stretches stretches_of(double blocks) {
  Stretches chosen;
  double const number = std::min(kStretches, std::ceil(blocks / kStretch));
  double const step = blocks / number;
  for (double i = 0; i < number; i++) {
    auto const first = static_cast<BlockNumber>(step * i + (step - kStretch) / 2);
    chosen.pages.push_back({first, first + kStretch});
  }
  chosen.share = std::min(1.0, kStretch * number / blocks);
  if (chosen.share == 1) chosen.pages = {{0, static_cast<BlockNumber>(blocks)}};
  return chosen;
}

// Blocks of the largest part of the table.
double largest_part(Oid relation) {
  static pg::Statement statement(
      "WITH RECURSIVE tree AS ("
      "    SELECT $1::oid AS oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid) "
      "SELECT coalesce(max(pg_relation_size(oid) / current_setting('block_size')::int8), 0)::float8 FROM tree",
      {OIDOID});
  return Facts(statement, {pg::Argument(ObjectIdGetDatum(relation))}).number(0, 1);
}

using Sums = std::map<std::pair<std::string, std::string>, cost::Usage>;  // by store and class

// As the arrays that priced_usage() takes.
std::vector<StoredLine> priced(const Sums& sums, Stored& stored) {
  static pg::Statement statement(
      "SELECT store, provider, storage_class, objects_sum, bytes_sum, monthly_cost::float8, currency, reason "
      "FROM audiostore.priced_usage('{}', $1, (SELECT array_agg(nullif(c, '') ORDER BY n) FROM unnest($2) WITH "
      "ORDINALITY AS u(c, n)), "
      "    $3, $4, $5, '{}')",
      {TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID});
  std::vector<std::string> stores;
  std::vector<std::string> classes;
  std::vector<std::int64_t> objects;
  std::vector<std::int64_t> bytes;
  std::vector<std::int64_t> unsized;
  for (const auto& [place, usage] : sums) {
    stores.push_back(usage.store);
    classes.push_back(usage.storage_class);
    objects.push_back(usage.objects);
    bytes.push_back(usage.bytes);
    unsized.push_back(usage.unsized);
  }
  Facts const facts(statement, {pg::text_array(stores), pg::text_array(classes), pg::bigint_array(objects),
                                pg::bigint_array(bytes), pg::bigint_array(unsized)});
  return lines_of(facts, stored);
}

std::int64_t grown(std::int64_t number, double share) {
  return static_cast<std::int64_t>(std::min(static_cast<double>(number) / share, 9.2e18));
}

void estimate(Stored& stored) {
  Sums sums;
  stored.how = Stored::How::estimated;
  auto const columns = tracking::Registry::current()->columns();
  for (const auto& column : columns) {
    std::vector<cost::Usage> found;
    Stretches const chosen = stretches_of(largest_part(column->relation));
    auto const failure = pg::attempt([&] {
      for (cost::Pages const& pages : chosen.pages) {
        for (cost::Usage& usage : cost::count_live(*column, {}, pages)) found.push_back(std::move(usage));
      }
    });
    if (failure) stored.gaps.push_back(column->key_column + ": " + failure->message);
    for (cost::Usage& usage : found) {
      usage.objects = grown(usage.objects, chosen.share);
      usage.bytes = grown(usage.bytes, chosen.share);
      usage.unsized = grown(usage.unsized, chosen.share);
      cost::Usage& sum = sums[{usage.store, usage.storage_class}];
      if (sum.store.empty()) sum = {.store = usage.store, .storage_class = usage.storage_class, .padded = {}};
      cost::add(sum, usage);
    }
    stored.share = std::min(stored.share, chosen.share);
  }
  stored.lines = priced(sums, stored);
}

}  // namespace

std::int64_t Stored::objects() const {
  std::int64_t sum = 0;
  for (const StoredLine& line : lines) sum += line.objects;
  return sum;
}

std::int64_t Stored::bytes() const {
  double sum = 0;
  for (const StoredLine& line : lines) sum += static_cast<double>(line.bytes);
  return sum < 9.2e18 ? static_cast<std::int64_t>(sum) : INT64_MAX;
}

Stored what_is_stored(const Period& period) {
  Stored stored;
  double const blocks = tracked_blocks();
  if (blocks <= kCountUpTo) {
    count_now(stored);
  } else if (!take_last_accounting(period, stored)) {
    estimate(stored);
  }
  std::erase_if(stored.lines, [](const StoredLine& line) { return line.objects == 0 && line.bytes == 0; });
  std::ranges::stable_sort(stored.lines, std::ranges::greater(), &StoredLine::bytes);
  return stored;
}

}  // namespace audiostore::report
