#include "report/stored.hpp"

#include <algorithm>

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
    count_now(stored);
  }
  std::erase_if(stored.lines, [](const StoredLine& line) { return line.objects == 0 && line.bytes == 0; });
  std::ranges::stable_sort(stored.lines, std::ranges::greater(), &StoredLine::bytes);
  return stored;
}

}  // namespace audiostore::report
